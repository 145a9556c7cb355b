#!lua flags=allow-oom
-- Say in KEYS[1] that the process ARGV[1] lives; forget those silent for ARGV[2] ms.
-- Returns the living ones. Who was heard later than now was heard by a clock that has been put right
-- since: he counts as heard now, so that one who has died meanwhile is forgotten in time.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
for _, member in ipairs(redis.call('ZRANGE', KEYS[1], string.format('(%.0f', now), '+inf', 'BYSCORE')) do
  redis.call('ZADD', KEYS[1], string.format('%.0f', now), member)
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now - ARGV[2]))
return redis.call('ZRANGE', KEYS[1], 0, -1)
