#!lua flags=allow-oom
-- Move the letters ARGV of KEYS[1] to the redeliveries KEYS[2]; returns how many were there.
-- Idempotent: what was moved is no longer there.
local moved = 0
for _, id in ipairs(ARGV) do
  local letter = redis.call('XRANGE', KEYS[1], id, id)[1]
  if letter then
    local fields = {'kind', 'retry'}
    for i = 1, #letter[2], 2 do
      local name = letter[2][i]
      if name == 'event' or name == 'stream' or name == 'entry_id' then
        fields[#fields + 1] = name
        fields[#fields + 1] = letter[2][i + 1]
      end
    end
    redis.call('XADD', KEYS[2], '*', unpack(fields))
    redis.call('XDEL', KEYS[1], id)
    moved = moved + 1
  end
end
return moved
