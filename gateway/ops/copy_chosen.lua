#!lua
-- Copy the entries of KEYS[1] whose ids are ARGV from 3 on to the redeliveries KEYS[2], as of the stream
-- ARGV[1] and of the kind ARGV[2]; returns how many were there.
local count = 0
for i = 3, #ARGV do
  local entry = redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i])[1]
  if entry then
    redis.call('XADD', KEYS[2], '*', 'stream', ARGV[1], 'entry_id', entry[1], 'kind', ARGV[2],
      unpack(entry[2]))
    count = count + 1
  end
end
return count
