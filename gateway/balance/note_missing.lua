#!lua flags=allow-oom
-- Keep in KEYS[1] since when events are missing, by where: ARGV are names of places and how many are
-- missing there, in turn. Places that are not among them are forgotten. Returns, for each, since when
-- (ms, by this server's clock).
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local there, since = {}, {}
for i = 1, #ARGV, 2 do
  there[ARGV[i]] = true
  redis.call('HSETNX', KEYS[1], ARGV[i], now)
  since[#since + 1] = redis.call('HGET', KEYS[1], ARGV[i])
end
for _, place in ipairs(redis.call('HKEYS', KEYS[1])) do
  if not there[place] then
    redis.call('HDEL', KEYS[1], place)
  end
end
return since
