#!lua flags=no-writes
-- Up to ARGV[3] entries of the stream KEYS[1] that the group ARGV[1] has pending behind the id ARGV[2],
-- for each {id, how often it was delivered, its fields}; no fields if its payload is lost.
local found = {}
for _, row in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], '(' .. ARGV[2], '+', ARGV[3])) do
  local entry = redis.call('XRANGE', KEYS[1], row[1], row[1])[1]
  found[#found + 1] = {row[1], row[4], entry and entry[2] or {}}
end
return found
