#!lua
-- Changes what a target is to be told, if it still is what the caller decided upon.
--
-- KEYS: 1 notices (hash), 2 due (sorted set), 3 mark or counter, 4 mark of an event before
-- ARGV: 1 mode, 2 and 3 its arguments, 4 seconds to keep the outbox,
--       then for each notice: key, expected bytes, new bytes (empty: none), due in
--       milliseconds (empty: as it was)
--   mode `take`: KEYS[3] marks an event as taken; 2 is the mark's life in seconds, 3 (empty: none)
--   what is noted in KEYS[4] of the event whose notice this one has replaced
--   mode `send`: KEYS[3] counts the messages of an hour; 2 is how many these are, 3 the most
--   mode `keep`: KEYS[3] is not used
--
-- Reply: "done", "taken" (the mark was there), "full" (the hour's count would be exceeded), or the
-- present bytes of the first notice that is not as expected, behind a "!". Repeating a call is
-- harmless: what already is as it should be counts as expected.
local mode = ARGV[1]
if mode == 'take' and redis.call('EXISTS', KEYS[3]) == 1 then
  return 'taken'
end
local done_before = true
for i = 5, #ARGV, 4 do
  local present = redis.call('HGET', KEYS[1], ARGV[i]) or ''
  if present ~= ARGV[i + 2] then
    done_before = false
    if present ~= ARGV[i + 1] then
      return '!' .. present
    end
  end
end
if mode == 'send' and not done_before then
  local count = tonumber(redis.call('GET', KEYS[3]) or '0')
  if tonumber(ARGV[3]) > 0 and count + tonumber(ARGV[2]) > tonumber(ARGV[3]) then
    return 'full'
  end
end
for i = 5, #ARGV, 4 do
  if ARGV[i + 2] == '' then
    redis.call('HDEL', KEYS[1], ARGV[i])
    redis.call('ZREM', KEYS[2], ARGV[i])
  else
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
    if ARGV[i + 3] ~= '' then
      redis.call('ZADD', KEYS[2], ARGV[i + 3], ARGV[i])
    end
  end
end
redis.call('EXPIRE', KEYS[1], ARGV[4])
redis.call('EXPIRE', KEYS[2], ARGV[4])
if mode == 'take' then
  redis.call('SET', KEYS[3], '1', 'EX', ARGV[2])
  if ARGV[3] ~= '' then
    redis.call('SET', KEYS[4], ARGV[3], 'XX', 'KEEPTTL')
  end
elseif mode == 'send' and not done_before then
  redis.call('INCRBY', KEYS[3], ARGV[2])
  redis.call('EXPIRE', KEYS[3], 7200)
end
return 'done'
