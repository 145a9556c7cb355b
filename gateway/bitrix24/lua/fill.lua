-- The portal says that it is full: no request for a while, and then one at a time.
-- KEYS: bucket
-- ARGV: microseconds between requests, requests at once, pause in microseconds, the longest wait of
-- anybody in microseconds: what lies further ahead is not believed (admit.lua)
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local full = now + tonumber(ARGV[3]) + (burst - 1) * interval
local empty_at = tonumber(redis.call('GET', KEYS[1]) or 0)
if full > empty_at or empty_at > now + burst * interval + tonumber(ARGV[4]) then
    redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000) + 1)
end
return 1
