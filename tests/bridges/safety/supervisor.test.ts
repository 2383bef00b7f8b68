import { fc } from '../../fast-check.ts'
import { describe, expect, it } from 'vitest'
import type { BridgeState, Role } from '../../../bridges/protocol/messages.ts'
import type { ActionProblem, Caller, SupervisorEvent } from '../../../bridges/safety/outcomes.ts'
import { Supervisor } from '../../../bridges/safety/supervisor.ts'
import { Rng } from '../../../src/core/rng.ts'

const MS = 1000
const PERIOD_US = 20 * MS
const TTL_US = 2000 * MS
const OPERATOR: Caller = { peer: 'op', role: 'operator' }

interface Bench {
  readonly supervisor: Supervisor
  readonly events: SupervisorEvent[]
  readonly codes: () => string[]
}

function bench(options: Partial<ConstructorParameters<typeof Supervisor>[0]> = {}): Bench {
  const events: SupervisorEvent[] = []
  let tokens = 0
  const supervisor = new Supervisor({
    controlPeriodUs: PERIOD_US,
    newToken: () => `token${tokens++}`,
    onEvent: (event) => events.push(event),
    ...options,
  })
  return { supervisor, events, codes: () => events.map(({ code }) => code) }
}

/** A controller with the lease, armed and started at `nowUs`. */
function started(supervisor: Supervisor, nowUs: number, peer = 'a'): Required<Caller> {
  const asked = supervisor.requestLease({ peer, role: 'controller' }, TTL_US, nowUs)
  if (!asked.ok) throw new Error(asked.text)
  const caller = { peer, role: 'controller' as const, lease: asked.lease.token }
  expect(supervisor.arm(caller, nowUs)).toMatchObject({ ok: true })
  expect(supervisor.start(caller, nowUs)).toMatchObject({ ok: true, state: 'ACTIVE' })
  return caller
}

/** Ticks every period from `fromUs` to `toUs`; when each state was entered. */
function run(supervisor: Supervisor, fromUs: number, toUs: number): Partial<Record<BridgeState, number>> {
  const entered: Partial<Record<BridgeState, number>> = {}
  for (let nowUs = fromUs; nowUs <= toUs; nowUs += PERIOD_US) {
    supervisor.tick(nowUs)
    entered[supervisor.state] ??= nowUs
  }
  return entered
}

function act(
  supervisor: Supervisor,
  caller: Required<Caller>,
  seq: number,
  nowUs: number,
  problem?: ActionProblem,
): unknown {
  const facts = { peer: caller.peer, lease: caller.lease!, epoch: supervisor.epoch, seq, problem }
  const verdict = supervisor.actionArrived(facts, nowUs)
  return verdict.accepted ? 'accepted' : verdict.code
}

describe('from lease to motion', () => {
  it('takes a lease, arming and a start, in this order', () => {
    const { supervisor, codes } = bench()
    const stranger = { peer: 'a', role: 'controller' as const, lease: 'none' }
    expect(supervisor.arm(stranger, 0)).toMatchObject({ ok: false, code: 'lease_expired' })
    const asked = supervisor.requestLease(stranger, TTL_US, 0)
    expect(asked).toMatchObject({ ok: true, state: 'READY', lease: { token: 'token0', ttlUs: TTL_US } })
    const caller = { ...stranger, lease: 'token0' }
    expect(supervisor.start(caller, 0)).toMatchObject({ ok: false, code: 'not_armed' })
    expect(act(supervisor, caller, 1, 0)).toBe('not_armed')
    expect(supervisor.arm(caller, 0)).toMatchObject({ ok: true })
    expect(supervisor.armed).toBe(true)
    expect(supervisor.start(caller, 0)).toMatchObject({ ok: true, state: 'ACTIVE', epoch: 1 })
    expect(act(supervisor, caller, 2, 10)).toBe('accepted')
    expect(supervisor.start(caller, 20)).toMatchObject({ ok: false, code: 'busy' })
    expect(codes()).toEqual(['lease_granted', 'armed', 'started'])
  })

  it('lets only an operator arm where that is asked for', () => {
    const { supervisor } = bench({ operatorArms: true })
    const caller = { peer: 'a', role: 'controller' as const, lease: 'token0' }
    expect(supervisor.arm(OPERATOR, 0)).toMatchObject({ ok: false, code: 'busy' })
    supervisor.requestLease(caller, TTL_US, 0)
    expect(supervisor.arm(caller, 0)).toMatchObject({ ok: false, code: 'role_forbidden' })
    expect(supervisor.arm(OPERATOR, 0)).toMatchObject({ ok: true })
  })

  it('has one winner in each of 1,000 races for the lease', () => {
    const rng = new Rng(1)
    for (let race = 0; race < 1000; race++) {
      const { supervisor, codes } = bench()
      const peers = Array.from({ length: 2 + rng.int(4) }, (_, i) => `peer${i}`)
      const outcomes = peers.map((peer) => supervisor.requestLease({ peer, role: 'controller' }, TTL_US, rng.int(3)))
      expect(outcomes.filter(({ ok }) => ok)).toHaveLength(1)
      expect(codes().filter((code) => code === 'lease_conflict')).toHaveLength(peers.length - 1)
      const holder = { peer: 'peer0', role: 'controller' as const, lease: 'token0' }
      supervisor.arm(holder, 5)
      supervisor.start(holder, 5)
      for (const peer of peers.slice(1)) {
        expect(act(supervisor, { ...holder, peer }, 9, 10)).toBe('lease_denied')
        expect(act(supervisor, { peer, role: 'controller', lease: 'guess' }, 9, 10)).toBe('lease_denied')
      }
      expect(act(supervisor, holder, 1, 10)).toBe('accepted')
    }
  })

  it('tells a second controller who holds the lease and for how long, and an observer that it is none', () => {
    const { supervisor } = bench()
    supervisor.requestLease({ peer: 'a', role: 'controller' }, TTL_US, 0)
    const refused = supervisor.requestLease({ peer: 'b', role: 'controller' }, TTL_US, 500 * MS)
    expect(refused).toMatchObject({ ok: false, code: 'lease_denied', holder: 'a', expiresInUs: TTL_US - 500 * MS })
    const observer = supervisor.requestLease({ peer: 'c', role: 'observer' }, TTL_US, 0)
    expect(observer).toMatchObject({ ok: false, code: 'role_forbidden' })
  })

  it('an operator takes the lease from a moving robot, in a new epoch', () => {
    const { supervisor } = bench()
    const caller = started(supervisor, 0)
    expect(supervisor.preempt({ peer: 'b', role: 'controller' }, TTL_US, 1)).toMatchObject({ code: 'role_forbidden' })
    expect(supervisor.preempt(OPERATOR, TTL_US, 1)).toMatchObject({ ok: true, state: 'READY', epoch: 2 })
    expect(supervisor.armed).toBe(false)
    expect(act(supervisor, caller, 1, 2)).toBe('lease_denied')
  })
})

describe('the watchdogs', () => {
  it('hold softly, go on by themselves, and stop for good', () => {
    const { supervisor, codes } = bench()
    const caller = started(supervisor, 0)
    act(supervisor, caller, 1, 100)
    const entered = run(supervisor, 0, 300 * MS)
    expect(entered.HOLD).toBeGreaterThan(100 * MS)
    expect(entered.HOLD).toBeLessThanOrEqual(100 * MS + PERIOD_US)
    expect(act(supervisor, caller, 2, 310 * MS)).toBe('accepted')
    expect(supervisor.state).toBe('ACTIVE')
    expect(supervisor.epoch).toBe(1)
    const after = run(supervisor, 320 * MS, 1000 * MS)
    expect(after.SAFE_STOP).toBeGreaterThan(810 * MS)
    expect(after.SAFE_STOP).toBeLessThanOrEqual(810 * MS + PERIOD_US)
    expect(supervisor.epoch).toBe(2)
    expect(supervisor.lease).toBeUndefined()
    expect(act(supervisor, caller, 3, 1010 * MS)).toBe('fault_latched')
    expect(supervisor.start(caller, 1010 * MS)).toMatchObject({ code: 'fault_latched' })
    expect(supervisor.requestLease(caller, TTL_US, 1010 * MS)).toMatchObject({ code: 'fault_latched' })
    expect(codes().slice(3)).toEqual(['soft_watchdog', 'resumed', 'soft_watchdog', 'hard_watchdog'])
  })

  it('act before an action that comes too late, even when no tick came between', () => {
    const { supervisor } = bench()
    const caller = started(supervisor, 0)
    expect(act(supervisor, caller, 1, 600 * MS)).toBe('fault_latched')
    expect(supervisor.state).toBe('SAFE_STOP')
  })

  it('are not fed by late actions, nor by those of another epoch', () => {
    const { supervisor } = bench()
    const caller = started(supervisor, 0)
    for (let k = 1; k <= 60; k++) {
      supervisor.tick(k * 10 * MS)
      if (k % 2) act(supervisor, caller, k, k * 10 * MS, 'late')
      else supervisor.actionArrived({ peer: 'a', lease: caller.lease!, epoch: 0, seq: k }, k * 10 * MS)
    }
    expect(supervisor.state).toBe('SAFE_STOP')
  })

  it('are off in lock-step', () => {
    const { supervisor } = bench({ softWatchdogUs: Infinity, hardWatchdogUs: Infinity })
    const caller = started(supervisor, 0)
    supervisor.renew(caller, 1500 * MS)
    supervisor.tick(3000 * MS, 40 * MS)
    expect(supervisor.state).toBe('ACTIVE')
  })

  it.each<[string, (supervisor: Supervisor, caller: Required<Caller>) => void, BridgeState, string]>([
    ['a lost connection', (s) => s.controllerLost('a', 50 * MS), 'SAFE_STOP', 'controller_lost'],
    ['three late periods', (s) => [1, 2, 3].forEach((k) => s.tick(k * 10 * MS, 51 * MS)), 'SAFE_STOP', 'overrun'],
    ['the emergency stop', (s) => s.estop(true, 10 * MS), 'ESTOP', 'estop'],
    [
      'five faulty actions in a row',
      (s, caller) => [1, 2, 3, 4, 5].forEach((k) => act(s, caller, k, k, 'not_finite')),
      'SAFE_STOP',
      'too_many_rejects',
    ],
    ['an operator', (s) => s.stop('safe', OPERATOR, 10 * MS), 'SAFE_STOP', 'stopped'],
    ['its controller', (s, caller) => s.stop('safe', caller, 10 * MS), 'SAFE_STOP', 'stopped'],
  ])('%s stops a moving robot', (_, cause, state, code) => {
    const { supervisor, events } = bench()
    cause(supervisor, started(supervisor, 0))
    expect(supervisor.state).toBe(state)
    expect(events.at(-1)).toMatchObject({ kind: 'state', code, fromState: 'ACTIVE', toState: state, epoch: 2 })
  })

  it('late periods and faulty actions count only in a row', () => {
    const { supervisor } = bench()
    const caller = started(supervisor, 0)
    for (let k = 1; k < 40; k++) {
      supervisor.tick(k * MS, k % 3 ? 60 * MS : 0)
      act(supervisor, caller, k, k * MS, k % 5 ? 'too_far' : undefined)
    }
    expect(supervisor.state).toBe('ACTIVE')
  })

  it('an idle holder of the lease who is silent loses it, and one who renews it keeps it', () => {
    const { supervisor, codes } = bench()
    supervisor.requestLease({ peer: 'a', role: 'controller' }, 60_000 * MS, 0)
    const caller: Caller = { peer: 'a', role: 'controller', lease: 'token0' }
    for (let k = 1; k < 10; k++) expect(supervisor.renew(caller, k * 900 * MS)).toMatchObject({ ok: true })
    supervisor.tick(9000 * MS)
    expect(supervisor.state).toBe('READY')
    supervisor.tick(9200 * MS)
    expect(supervisor.state).toBe('IDLE')
    expect(codes().at(-1)).toBe('heartbeat_lost')
  })

  it('a lease runs out', () => {
    const { supervisor, codes } = bench({ softWatchdogUs: Infinity, hardWatchdogUs: Infinity })
    started(supervisor, 0)
    supervisor.tick(TTL_US)
    expect(supervisor.state).toBe('ACTIVE')
    supervisor.tick(TTL_US + 1)
    expect(supervisor.state).toBe('SAFE_STOP')
    expect(codes().at(-1)).toBe('lease_expired')
  })
})

describe('a latched stop', () => {
  it('is left by an operator alone, and not while the emergency stop is pressed', () => {
    const { supervisor } = bench()
    const caller = started(supervisor, 0)
    supervisor.estop(true, 1)
    expect(supervisor.clear(caller, 2)).toMatchObject({ code: 'role_forbidden' })
    expect(supervisor.clear(OPERATOR, 2)).toMatchObject({
      code: 'fault_latched',
      text: expect.stringContaining('pressed'),
    })
    supervisor.estop(false, 3)
    expect(supervisor.state).toBe('ESTOP')
    expect(supervisor.preempt(OPERATOR, TTL_US, 3)).toMatchObject({ code: 'fault_latched' })
    expect(supervisor.clear(OPERATOR, 4)).toMatchObject({ ok: true, state: 'IDLE', epoch: 3 })
    expect(supervisor.clear(OPERATOR, 5)).toMatchObject({ code: 'busy' })
    started(supervisor, 6, 'b')
  })
})

describe('a soft stop', () => {
  it.each<['pause' | 'stop' | 'reset', boolean]>([
    ['pause', true],
    ['reset', true],
    ['stop', false],
  ])('by %s keeps the lease, raises the epoch and refuses what was on its way', (how, isArmed) => {
    const { supervisor } = bench()
    const caller = started(supervisor, 0)
    const stop = (): unknown => (how === 'stop' ? supervisor.stop('hold', caller, 1) : supervisor[how](caller, 1))
    expect(stop()).toMatchObject({ ok: true, state: 'READY', epoch: 2 })
    expect(supervisor.armed).toBe(isArmed)
    supervisor.resetEnded()
    supervisor.arm(caller, 2)
    supervisor.start(caller, 2)
    expect(supervisor.actionArrived({ peer: 'a', lease: caller.lease!, epoch: 1, seq: 1 }, 3)).toEqual({
      accepted: false,
      code: 'epoch_stale',
    })
    expect(act(supervisor, caller, 2, 3)).toBe('accepted')
    expect(act(supervisor, caller, 2, 4)).toBe('seq_replay')
  })

  it('by release leaves the robot to others', () => {
    const { supervisor } = bench()
    expect(supervisor.release(started(supervisor, 0), 1)).toMatchObject({ ok: true, state: 'IDLE', epoch: 2 })
    started(supervisor, 2, 'b')
  })
})

/** What must hold whatever anyone does: checked after every call against what was seen before it. */
class Model {
  readonly real: Supervisor
  nowUs = 0
  readonly tokens: string[] = []
  epochs: number[] = [1]
  #lastSeq = new Map<string, number>()

  constructor() {
    const newToken = (): string => {
      this.tokens.push(`t${this.tokens.length}`)
      return this.tokens.at(-1)!
    }
    this.real = new Supervisor({ controlPeriodUs: PERIOD_US, newToken })
  }

  /** Runs `call`, which may leave a latched state only if `mayClear`. */
  watched(call: () => void, mayClear = false): void {
    const before = { state: this.real.state, epoch: this.real.epoch, lease: this.real.lease?.token }
    call()
    const { state, epoch, lease, armed } = this.real
    expect(epoch).toBeGreaterThanOrEqual(before.epoch)
    const wasLatched = before.state === 'SAFE_STOP' || before.state === 'ESTOP'
    const isLatched = state === 'SAFE_STOP' || state === 'ESTOP'
    if (wasLatched && !isLatched) expect(mayClear).toBe(true)
    if (wasLatched !== isLatched || (before.state === 'ACTIVE' && !['ACTIVE', 'HOLD'].includes(state))) {
      expect(epoch).toBeGreaterThan(before.epoch)
    }
    if (before.lease !== undefined && lease?.token !== before.lease) expect(epoch).toBeGreaterThan(before.epoch)
    expect(lease !== undefined).toBe(['READY', 'ACTIVE', 'HOLD'].includes(state))
    if (state === 'ACTIVE' || state === 'HOLD') expect(armed).toBe(true)
    else if (state !== 'READY') expect(armed).toBe(false)
  }

  action(peer: string, lease: string, epoch: number, seq: number, problem: ActionProblem | undefined): void {
    this.watched(() => {
      const wasAllowed = this.real.state === 'ACTIVE' || this.real.state === 'HOLD'
      const held = this.real.lease
      const verdict = this.real.actionArrived({ peer, lease, epoch, seq, problem }, this.nowUs)
      const lastSeq = this.#lastSeq.get(lease) ?? -1
      if (epoch === this.real.epoch) this.#lastSeq.set(lease, Math.max(lastSeq, held?.token === lease ? seq : lastSeq))
      if (!verdict.accepted) return
      expect(wasAllowed).toBe(true)
      expect(this.real.state).toBe('ACTIVE')
      expect({ peer, lease }).toEqual({ peer: held!.peer, lease: held!.token })
      expect(this.nowUs).toBeLessThanOrEqual(held!.expiresAtUs)
      expect(epoch).toBe(this.real.epoch)
      expect(seq).toBeGreaterThan(lastSeq)
      expect(problem).toBeUndefined()
    })
  }
}

type Step = (model: Model) => void

const roles = fc.constantFrom<Role>('controller', 'observer', 'operator')
const caller = fc.record({
  peer: fc.constantFrom('a', 'b', 'c'),
  role: roles,
  isHolder: fc.boolean(),
  token: fc.nat(5),
})
const problems = fc.option(fc.constantFrom<ActionProblem>('late', 'not_finite', 'bad_shape'), { freq: 3 })

const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  fc
    .tuple(
      caller,
      fc.constantFrom(
        'lease',
        'preempt',
        'release',
        'renew',
        'arm',
        'start',
        'pause',
        'reset',
        'hold',
        'safe',
        'clear',
      ),
    )
    .map(([{ peer, role, isHolder, token }, command]): Step => (model) => {
      const { real, nowUs } = model
      const held = real.lease
      // Half of the callers are who they should be, or nothing would ever move.
      const who: Caller =
        isHolder && held ? { peer: held.peer, role, lease: held.token } : { peer, role, lease: `t${token}` }
      model.watched(
        () => {
          if (command === 'lease') real.requestLease(who, TTL_US, nowUs)
          else if (command === 'preempt') real.preempt(who, TTL_US, nowUs)
          else if (command === 'hold' || command === 'safe') real.stop(command, who, nowUs)
          else real[command as 'release'](who, nowUs)
        },
        command === 'clear' && role === 'operator',
      )
    }),
  fc.nat(3).map((kind): Step => (model) => {
    // The usual way into motion.
    const { real, nowUs } = model
    if (real.lease === undefined)
      model.watched(() => real.requestLease({ peer: 'a', role: 'controller' }, TTL_US, nowUs))
    const held = real.lease
    if (held === undefined || kind === 0) return
    const who: Caller = { peer: held.peer, role: 'controller', lease: held.token }
    model.watched(() => void real.arm(who, nowUs))
    model.watched(() => void real.start(who, nowUs))
  }),
  fc
    .record({
      isHolder: fc.integer({ max: 4 }),
      token: fc.nat(5),
      epochBack: fc.nat(2),
      seq: fc.nat(40),
      problem: problems,
    })
    .map(({ isHolder, token, epochBack, seq, problem }): Step => (model) => {
      const held = model.real.lease
      const [peer, lease] = isHolder !== 0 && held ? [held.peer, held.token] : ['b', `t${token}`]
      model.action(peer, lease, model.real.epoch - (epochBack === 0 ? 1 : 0), seq, problem ?? undefined)
    }),
  fc.oneof(fc.nat(80 * MS), fc.nat(700 * MS)).map((us): Step => (model) => {
    model.nowUs += us
    model.watched(() => model.real.tick(model.nowUs))
  }),
  fc.boolean().map(
    (isPressed): Step =>
      (model) =>
        model.watched(() => model.real.estop(isPressed, model.nowUs)),
  ),
  fc.constantFrom('a', 'b').map(
    (peer): Step =>
      (model) =>
        model.watched(() => model.real.controllerLost(peer, model.nowUs)),
  ),
)

describe('whatever happens', () => {
  it('there is one holder, no stale action moves the robot, every stop opens an epoch, and only operators clear', () => {
    let accepted = 0
    fc.assert(
      fc.property(fc.array(stepArbitrary, { maxLength: 60 }), (steps) => {
        const model = new Model()
        for (const step of steps) step(model)
        if (model.real.state === 'ACTIVE') accepted++
      }),
      { numRuns: 1500, seed: 2, endOnFailure: true },
    )
    // The walks do get into motion.
    expect(accepted).toBeGreaterThan(50)
  })
})
