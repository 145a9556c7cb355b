#!lua flags=allow-oom
-- Give back entries of the stream KEYS[2] that the group ARGV[2] has pending: set their counts of
-- deliveries to ARGV[4], if the lease KEYS[1] still has the epoch ARGV[1]. ARGV[3] is the group's
-- consumer; the ids follow, a thousand at most. Returns the ids that were pending and have lost their
-- payload (the server has forgotten them by that), or nil if another process owns the partition.
-- One that is not pending any more was acknowledged meanwhile: by whoever erased it on request.
-- A repeated call names no loss again.
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch and epoch ~= ARGV[1] then
  return false
end
local command = {'XCLAIM', KEYS[2], ARGV[2], ARGV[3], 0}
local pending = {}
for i = 5, #ARGV do
  command[#command + 1] = ARGV[i]
  if #redis.call('XPENDING', KEYS[2], ARGV[2], ARGV[i], ARGV[i], 1) == 1 then
    pending[#pending + 1] = ARGV[i]
  end
end
for _, word in ipairs({'RETRYCOUNT', ARGV[4], 'JUSTID'}) do
  command[#command + 1] = word
end
local kept = {}
for _, id in ipairs(redis.call(unpack(command))) do
  kept[id] = true
end
local lost = {}
for _, id in ipairs(pending) do
  if not kept[id] then
    lost[#lost + 1] = id
  end
end
return lost
