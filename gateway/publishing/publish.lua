#!lua
-- Appends batches to a stream in their order, each once, however often it is called.
--
-- KEYS[1]    the stream
-- KEYS[2]    the balance of this partition, whose field `published` counts what was appended here
-- KEYS[3]    there once nothing new may be put on the stream: the partition is a former one
-- KEYS[3+n]  the last batch of the producer of batch n on this stream: "<sequence> <id> <id> ..."
-- ARGV[1]    seconds to remember a batch
-- ARGV[2..]  for each batch: its sequence number, rising by one from batch to batch of a producer;
--            how many events it has; the events
--
-- Returns for each batch the ids of its entries, separated by spaces; for a repeated batch the ids
-- of the first call. A batch older than the last one was stored before it: its answer is empty.
-- Nil for a new batch of a former partition: it is not on the stream, and will never be put there.
--
-- A producer sends a batch only when it is settled what became of those before it, or together with
-- them, so remembering the last one is enough. The shebang makes the server refuse the whole script
-- when it is out of memory, rather than stop half-way; and what the user may not do is found before
-- anything is written, or entries that nothing remembers would come again with each repetition.
-- uses: refused
local denial = refused('XADD', KEYS[1], '*', 'event', '')
  or refused('SET', KEYS[4], '', 'EX', ARGV[1])
  or refused('EXPIRE', KEYS[4], ARGV[1])
if denial then
  return denial
end
local is_sealed = redis.call('EXISTS', KEYS[3]) == 1
local answers = {}
local at = 2
local appended = 0
for n = 4, #KEYS do
  local sequence, first = ARGV[at], at + 2
  at = first + tonumber(ARGV[at + 1])
  local last = redis.call('GET', KEYS[n])
  local space, behind
  if last then
    space = string.find(last, ' ', 1, true)
    behind = tonumber(sequence) - tonumber(string.sub(last, 1, space - 1))
  end
  if behind and behind <= 0 then
    -- WAIT and WAITAOF look at what their own connection wrote. A repetition that only reads would
    -- be confirmed at once, though the entries may be nowhere but here.
    redis.call('EXPIRE', KEYS[n], ARGV[1])
    answers[n - 3] = behind == 0 and string.sub(last, space + 1) or ''
  elseif is_sealed then
    answers[n - 3] = false
  else
    local ids = {}
    for i = first, at - 1 do
      ids[i - first + 1] = redis.call('XADD', KEYS[1], '*', 'event', ARGV[i])
    end
    answers[n - 3] = table.concat(ids, ' ')
    redis.call('SET', KEYS[n], sequence .. ' ' .. answers[n - 3], 'EX', ARGV[1])
    appended = appended + #ids
  end
end
-- Counting keeps nobody from publishing: a user without the right to it just does not count.
if appended > 0 then
  redis.pcall('HINCRBY', KEYS[2], 'published', appended)
end
return answers
