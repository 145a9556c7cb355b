#!lua
-- When those of the ids ARGV were appended that the zset KEYS[1] remembers (ms); nil for the others.
local found = {}
for i, id in ipairs(ARGV) do
  found[i] = redis.call('ZSCORE', KEYS[1], id)
end
return found
