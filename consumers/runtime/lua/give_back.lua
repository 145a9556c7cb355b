#!lua flags=allow-oom
-- Give back entries of the stream KEYS[2] that the group ARGV[2] has pending: set their counts of
-- deliveries to ARGV[4], if the lease KEYS[1] still has the epoch ARGV[1]. ARGV[3] is the group's
-- consumer; the ids follow. Returns the ids that are pending still (one that is missing has lost its
-- payload, and the server has forgotten it), or nil if another process owns the partition.
-- Idempotent.
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch and epoch ~= ARGV[1] then
  return false
end
local kept = {}
for first = 5, #ARGV, 1000 do
  local ids = {unpack(ARGV, first, math.min(first + 999, #ARGV))}
  local command = {'XCLAIM', KEYS[2], ARGV[2], ARGV[3], 0}
  for _, id in ipairs(ids) do
    command[#command + 1] = id
  end
  for _, word in ipairs({'RETRYCOUNT', ARGV[4], 'JUSTID'}) do
    command[#command + 1] = word
  end
  for _, id in ipairs(redis.call(unpack(command))) do
    kept[#kept + 1] = id
  end
end
return kept
