#!lua
-- Note in the hash KEYS[1] that ARGV[1] is to follow the numbers of partitions that it has, since the
-- time of the server, unless something else is noted; returns what is noted then.
local noted = redis.call('HGET', KEYS[1], 'next')
if noted then
  return noted
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], 'next', ARGV[1], 'since_ms', string.format('%.0f', now))
return ARGV[1]
