#!lua flags=allow-oom
-- Acknowledge entries of the stream KEYS[2] and of the redeliveries KEYS[3] for the group ARGV[2],
-- if the lease KEYS[1] still has the epoch ARGV[1]; returns 1, or -1 if another process owns the
-- partition. ARGV[3] is how many of the ids from ARGV[4] on belong to KEYS[2].
-- A redelivery is for this group alone, so it is deleted as well. Idempotent.
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch and epoch ~= ARGV[1] then
  return -1
end
local last = 3 + ARGV[3]
for first = 4, last, 1000 do
  redis.call('XACK', KEYS[2], ARGV[2], unpack(ARGV, first, math.min(first + 999, last)))
end
for first = last + 1, #ARGV, 1000 do
  local upto = math.min(first + 999, #ARGV)
  redis.call('XACK', KEYS[3], ARGV[2], unpack(ARGV, first, upto))
  redis.call('XDEL', KEYS[3], unpack(ARGV, first, upto))
end
return 1
