#!lua
-- Copy up to ARGV[3] entries of KEYS[1] from ARGV[1] to ARGV[2] to the redeliveries KEYS[2], as of
-- the stream ARGV[4] and of the kind ARGV[5]. Returns {count, last id}.
local entries = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[2], 'COUNT', ARGV[3])
local last = ''
for _, entry in ipairs(entries) do
  last = entry[1]
  redis.call('XADD', KEYS[2], '*', 'stream', ARGV[4], 'entry_id', last, 'kind', ARGV[5],
    unpack(entry[2]))
end
return {#entries, last}
