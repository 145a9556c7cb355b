#!lua flags=allow-oom
-- Write into KEYS[1] under ARGV[1] the report ARGV[2] with the time, and since when its process runs, which is ARGV[3] ms. Others
-- like it on its host that were silent for ARGV[4] ms when it began go while it is new, as do all that are silent for ARGV[5] s.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local started = now - ARGV[3]
local times = string.format('{"at":%.0f,"started_at":%.0f,', now, started)
redis.call('HSET', KEYS[1], ARGV[1], times .. string.sub(ARGV[2], 2))
redis.call('EXPIRE', KEYS[1], ARGV[5])
if ARGV[6] == '0' then
    return 1
end
local mine = cjson.decode(ARGV[2])
local rows = redis.call('HGETALL', KEYS[1])
for i = 1, #rows, 2 do
    local is_read, other = pcall(cjson.decode, rows[i + 1])
    local at = is_read and type(other) == 'table' and tonumber(other.at) or 0
    local is_like = at > 0 and other.role == mine.role and other.group == mine.group and other.host == mine.host
    local is_followed = is_like and at < started and at < now - ARGV[4]
    if rows[i] ~= ARGV[1] and (is_followed or at < now - ARGV[5] * 1000) then
        redis.call('HDEL', KEYS[1], rows[i])
    end
end
return 1
