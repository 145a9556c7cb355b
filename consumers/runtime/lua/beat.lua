#!lua flags=allow-oom
-- Say in KEYS[1] that the process ARGV[1] lives; forget those silent for ARGV[2] ms.
-- Returns the living ones.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now - ARGV[2]))
return redis.call('ZRANGE', KEYS[1], 0, -1)
