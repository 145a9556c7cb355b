#!lua
-- Appends a batch to a stream once, however often it is called.
--
-- KEYS[1]  the stream
-- KEYS[2]  the last batch of this producer on this stream: "<sequence> <id> <id> ..."
-- ARGV[1]  the batch's sequence number, rising by one from batch to batch of a producer
-- ARGV[2]  seconds to remember the batch
-- ARGV[3..] the events
--
-- Returns the ids of the entries, separated by spaces; for a repeated batch the ids of the first
-- call. A batch older than the last one was stored before it: the answer then is empty.
--
-- A producer sends batch n+1 only when it is settled what became of batch n, so remembering the
-- last one is enough. The shebang makes the server refuse the whole script when it is out of
-- memory, rather than stop half-way.
local last = redis.call('GET', KEYS[2])
if last then
  local space = string.find(last, ' ', 1, true)
  local behind = tonumber(ARGV[1]) - tonumber(string.sub(last, 1, space - 1))
  if behind <= 0 then
    -- WAIT and WAITAOF look at what their own connection wrote. A repetition that only reads would
    -- be confirmed at once, though the entries may be nowhere but here.
    redis.call('EXPIRE', KEYS[2], ARGV[2])
    return behind == 0 and string.sub(last, space + 1) or ''
  end
end
local ids = {}
for i = 3, #ARGV do
  ids[i - 2] = redis.call('XADD', KEYS[1], '*', 'event', ARGV[i])
end
local joined = table.concat(ids, ' ')
redis.call('SET', KEYS[2], ARGV[1] .. ' ' .. joined, 'EX', ARGV[2])
return joined
