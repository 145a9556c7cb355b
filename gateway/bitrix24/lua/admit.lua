-- May a request go to a portal, and when? Takes its place in the bucket if it need not wait longer
-- than it can.
-- KEYS: bucket (when it will be empty, in microseconds), holds on the methods of the request
-- ARGV: microseconds between requests, requests at once, longest wait in microseconds, the longest
-- wait of anybody in microseconds, the longest hold in milliseconds
-- Returns {1, wait, 0} with the place taken; {0, wait, held} without one, where held is 1 if the
-- wait is for a method and 0 if it is for the bucket. Waits are in microseconds.
-- What lies further ahead than anybody can ask for was written by a clock that has been put right
-- since: such a hold is over, and such a bucket is full and no more.
local held_ms = 0
for index = 2, #KEYS do
    local left_ms = redis.call('PTTL', KEYS[index])
    if left_ms > tonumber(ARGV[5]) then
        redis.call('DEL', KEYS[index])
    else
        held_ms = math.max(held_ms, left_ms)
    end
end
if held_ms > 0 then
    return {0, held_ms * 1000, 1}
end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, burst, patience = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local empty_at = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
if empty_at > now + burst * interval + tonumber(ARGV[4]) then
    empty_at = now + burst * interval
end
local wait = math.max(0, empty_at - (burst - 1) * interval - now)
if wait > patience then
    return {0, wait, 0}
end
empty_at = empty_at + interval
-- A number as such would be written with 14 digits, which is too few.
redis.call('SET', KEYS[1], string.format('%.0f', empty_at),
    'PX', math.ceil((empty_at - now) / 1000) + 1)
return {1, wait, 0}
