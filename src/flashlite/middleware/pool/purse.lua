-- A budget that a pool shares. Each line reports its total spent and reserved amounts, so a
-- repeated report changes nothing. A line that is silent for LEASE seconds is taken for dead: what
-- it had reserved may have been spent, and counts as spent unless the line comes back.
--
-- ARGV[1], as JSON: line, who {machine, process, program}, number (of the line's exchanges), limit,
-- spent, reserved, waiting (how many callers, the heads among them), heads (amounts), seen {epoch,
-- count, spent, told}.
-- Returns as JSON: answers ("y" or "n" for each head that has one), wait (seconds), epoch, count, and
-- as text, for JSON has 14 digits here: spent, reserved.
--
-- Or as JSON: look. Returns as JSON: limit, spent, reserved (as text), lines.
-- `purse.py` does the same in Python.

local LEASE = 30
local GRACE = 7 -- seconds in which all lines speak, when Redis has lost the budget
local LOOK = 0.1

local function number(name)
    return tonumber(redis.call('HGET', state, name) or 0)
end

local spent, reserved, restored = number('spent'), number('reserved'), number('restored')
local line, heads = said.line, said.heads

local function write_off_the_dead()
    for _, dead in ipairs(redis.call('ZRANGEBYSCORE', holders, '-inf', now)) do
        local lost = number('r:' .. dead)
        spent, reserved = spent + lost, reserved - lost
        redis.call('HDEL', state, 'r:' .. dead)
        redis.call('HSET', state, 'w:' .. dead, lost)
        redis.call('ZREM', holders, dead)
    end
end

-- Take over what a line saw spent in an earlier epoch. That amount only grows, so the largest
-- report includes all others.
local function restore(seen)
    if begin_epoch(seen) then
        restored = spent
    end
    if seen.epoch ~= '' and seen.epoch ~= epoch then
        spent = spent + math.max(0, seen.spent - restored)
        restored = math.max(restored, seen.spent)
        close_until(born + GRACE)
    end
end

-- Count what a line spent and reserved since its last report, in this epoch or before.
local function account(told, seen)
    local is_known = told and told[3] == epoch
    local before = is_known and told[2] or seen.told
    local lost = (is_known or seen.epoch == epoch) and number('w:' .. line) or 0
    spent = spent + said.spent - before - lost
    reserved = reserved + said.reserved - number('r:' .. line)
    redis.call('HDEL', state, 'w:' .. line)
end

-- Decide as many heads as possible: let in those that fit, refuse those that never will.
local function answer()
    local answers = ''
    for _, amount in ipairs(heads) do
        local left = said.limit - spent - amount
        if left < 0 then
            answers = answers .. 'n'
        elseif left >= reserved then
            answers = answers .. 'y'
            reserved, said.reserved = reserved + amount, said.reserved + amount
        else
            break
        end
    end
    return answers
end

local function save()
    save_epoch()
    redis.call('HSET', state, 'spent', spent, 'reserved', reserved, 'restored', restored)
end

local function text(amount)
    return string.format('%.0f', amount)
end

write_off_the_dead()
if said.look then
    if epoch then
        save()
    end
    return cjson.encode({
        limit = text(number('limit')), spent = text(spent), reserved = text(reserved),
        lines = everybody(),
    })
end
local answers, wait = '', 0

local function reply()
    return cjson.encode({
        answers = answers, wait = wait, epoch = epoch, count = count, spent = text(spent),
        reserved = text(reserved),
    })
end

local told = told_by(line)
if told and said.number <= told[1] then
    return reply() -- to nobody: the line gave this exchange up, and has spoken again since
end
restore(said.seen)
account(told, said.seen)

local turn = first()
if now >= closed and (turn == nil or turn == line) then
    answers = answer()
end
if #answers == #heads then
    leave(line)
else
    wait_in_queue(line, heads[#answers + 1], false)
    wait = pause(line, math.max(closed, now + LOOK))
end

if said.reserved > 0 then
    redis.call('HSET', state, 'r:' .. line, said.reserved)
    redis.call('ZADD', holders, now + LEASE, line)
else
    redis.call('HDEL', state, 'r:' .. line)
    redis.call('ZREM', holders, line)
end
enlist(line, said.waiting - #answers, {said.number, said.spent, epoch})
redis.call('HSET', state, 'limit', said.limit)
count = count + 1
save()
return reply()
