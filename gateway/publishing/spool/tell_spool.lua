#!lua flags=allow-oom
-- Write into KEYS[1] under ARGV[1] the time and ARGV[2]; keep all of it for ARGV[3] s.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', now) .. ' ' .. ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
