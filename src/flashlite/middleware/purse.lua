-- A budget that a pool shares. Each line says what it spent and has reserved in all, so that to say
-- it twice changes nothing. A line that is silent for LEASE seconds has died: what it had reserved
-- may have been spent, and counts as such, unless it comes back.
--
-- ARGV[1], as JSON: line, limit, spent, reserved, heads (amounts), seen {epoch, spent, told}.
-- Returns as JSON: answers ("y" or "n" for each head that has one), wait (seconds), epoch, and as
-- text, for JSON has 14 digits here: spent, reserved.

local LEASE = 30
local GRACE = 7 -- seconds in which all lines speak, when Redis has lost the budget
local LOOK = 0.1

local holders = KEYS[3]

local function number(name)
    return tonumber(redis.call('HGET', state, name) or 0)
end

local spent, reserved, restored = number('spent'), number('reserved'), number('restored')
local epoch, born = redis.call('HGET', state, 'epoch'), number('born')
local closed = number('closed')
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

-- What is spent only grows, so the most that anybody saw includes what the others saw.
local function restore(seen)
    if not epoch then
        epoch, born = time[1] .. '.' .. time[2], now
    end
    if seen.epoch == '' or seen.epoch == epoch then
        return
    end
    spent = spent + math.max(0, seen.spent - restored)
    restored = math.max(restored, seen.spent)
    redis.call('HSET', state, 's:' .. line, seen.told)
    closed = math.max(closed, born + GRACE)
end

local function account()
    spent = spent + said.spent - number('s:' .. line) - number('w:' .. line)
    reserved = reserved + said.reserved - number('r:' .. line)
    redis.call('HSET', state, 's:' .. line, said.spent)
    redis.call('HDEL', state, 'w:' .. line)
end

-- Answer as many as can be answered: who fits is let in, who never will is refused.
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

write_off_the_dead()
restore(said.seen)
account()

local answers, wait = '', 0
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
redis.call('HSET', state, 'spent', spent, 'reserved', reserved, 'restored', restored,
    'epoch', epoch, 'born', born, 'closed', closed)
return cjson.encode({
    answers = answers, wait = wait, epoch = epoch,
    spent = string.format('%.0f', spent), reserved = string.format('%.0f', reserved),
})
