#!lua flags=no-writes,allow-oom
-- The time, and the hash KEYS[1].
local time = redis.call('TIME')
return {time[1] * 1000 + math.floor(time[2] / 1000), redis.call('HGETALL', KEYS[1])}
