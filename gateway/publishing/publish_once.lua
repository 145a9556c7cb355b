#!lua
-- Appends events to a stream, each once, however often and in whatever company it is given.
--
-- KEYS[1]  the stream
-- KEYS[2]  zset of the ids of events that were appended so, by when (ms)
-- KEYS[3]  the balance of this partition, whose field `once` counts what was appended here
-- KEYS[4]  there once nothing new may be put on the stream: the partition is a former one
-- ARGV[1]  for how many ms an id is remembered
-- ARGV[2..] ids and events, in turn
--
-- Returns how many events were appended by this call; of a former partition an error that begins with
-- SEALED, and then none was. What the user may not do is found before an id
-- is remembered whose event then is not appended.
-- uses: refused
local denial = refused('XADD', KEYS[1], '*', 'event', '')
  or refused('ZADD', KEYS[2], 'NX', '0', '')
  or refused('PEXPIRE', KEYS[2], ARGV[1])
if denial then
  return denial
end
if redis.call('EXISTS', KEYS[4]) == 1 then
  return redis.error_reply('SEALED nothing new is put on ' .. KEYS[1])
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[1])
local count = 0
for i = 2, #ARGV, 2 do
  if redis.call('ZADD', KEYS[2], 'NX', now, ARGV[i]) == 1 then
    redis.call('XADD', KEYS[1], '*', 'event', ARGV[i + 1])
    count = count + 1
  end
end
if count > 0 then
  redis.pcall('HINCRBY', KEYS[3], 'once', count)
end
-- A write in any case: WAIT and WAITAOF look at what their own connection wrote, and a repetition
-- that only reads would be confirmed at once.
redis.call('PEXPIRE', KEYS[2], ARGV[1])
return count
