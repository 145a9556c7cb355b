#!lua flags=allow-oom
-- Move the letters ARGV of KEYS[1] to the redeliveries KEYS[2]; returns how many were there. Each takes
-- along how it died, this time and the nine times before, as its field `history`.
-- Idempotent: what was moved is no longer there.
local moved = 0
for _, id in ipairs(ARGV) do
  local letter = redis.call('XRANGE', KEYS[1], id, id)[1]
  if letter then
    local fields = {'kind', 'retry'}
    local death, history = {attempts = 0}, {}
    for i = 1, #letter[2], 2 do
      local name = letter[2][i]
      if name == 'event' or name == 'stream' or name == 'entry_id' then
        fields[#fields + 1] = name
        fields[#fields + 1] = letter[2][i + 1]
      elseif name == 'attempts' then
        death.attempts = tonumber(letter[2][i + 1]) or 0
      elseif name == 'failed_at' or name == 'reason' or name == 'error' then
        death[name] = letter[2][i + 1]
      elseif name == 'history' then
        local is_read, read = pcall(cjson.decode, letter[2][i + 1])
        history = is_read and type(read) == 'table' and read or {}
      end
    end
    history[#history + 1] = death
    fields[#fields + 1] = 'history'
    fields[#fields + 1] = cjson.encode({unpack(history, math.max(1, #history - 9))})
    redis.call('XADD', KEYS[2], '*', unpack(fields))
    redis.call('XDEL', KEYS[1], id)
    moved = moved + 1
  end
end
return moved
