#!lua
-- Write an event that went out without its comment once more, if it still waits for that.
-- KEYS: lease, refetch queue, its events, output, and the key of a further write if there is one
-- ARGV: epoch, event id, event, and the command and arguments of that write
-- Returns 1; 0 if it waits no more, as after a repetition; -1 if another process owns the partition.
-- What can fail comes before the event is written.
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch and epoch ~= ARGV[1] then
  return -1
end
if redis.call('HEXISTS', KEYS[3], ARGV[2]) == 0 or not redis.call('ZSCORE', KEYS[2], ARGV[2]) then
  return 0
end
if KEYS[5] then
  redis.call(ARGV[4], KEYS[5], unpack(ARGV, 5))
end
redis.call('XADD', KEYS[4], '*', 'event', ARGV[3], 'kind', 'replay')
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('HDEL', KEYS[3], ARGV[2])
return 1
