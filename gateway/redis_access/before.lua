-- A function of scripts: before(a, b) is whether the entry id a stands before b on a stream.
local function before(a, b)
  local function parts(id)
    local ms, number = string.match(id, '^(%d+)%-(%d+)$')
    return tonumber(ms), tonumber(number)
  end
  local a_ms, a_number = parts(a)
  local b_ms, b_number = parts(b)
  return a_ms < b_ms or (a_ms == b_ms and a_number < b_number)
end
