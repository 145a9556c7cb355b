#!lua
-- Gives an emptied Redis the registered portals again, unless it knows some by now.
--
-- KEYS[1]  the registrations
-- KEYS[2]  their version
-- ARGV     the new version, which begins with the prefix; the prefix that marks what was put back;
--          then field and value of each registration
--
-- What another process put back gives way to a later version, and nothing else does. Returns 1 if
-- the registrations are these now, else 0. May be repeated. What the user may not do is found before
-- anything is deleted.
-- uses: refused
local denial = refused('HSET', KEYS[1], '', '') or refused('SET', KEYS[2], '')
if denial then
  return denial
end
local version, mark = redis.call('GET', KEYS[2]), ARGV[2]
if version and (string.sub(version, 1, #mark) ~= mark or version > ARGV[1]) then
  return 0
end
redis.call('DEL', KEYS[1])
for i = 3, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
end
redis.call('SET', KEYS[2], ARGV[1])
return 1
