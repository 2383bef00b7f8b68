import type { AddressInfo, Server, Socket } from 'node:net'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { afterEach, describe, expect, it } from 'vitest'
import { loadLimits } from '../../bridges/safety/limits.ts'
import type { TestBridge } from './helpers.ts'
import { openActive, openBridge, PATIENT, until } from './helpers.ts'
import { clock } from './simple-robot.ts'
import type { TcpArm } from '../../examples/tcp-arm.ts'
import { connectArm } from '../../examples/tcp-arm.ts'

/** The controller of the arm, as its manual describes it: follows a target at so many rad a second. */
class Controller {
  readonly lines: string[] = []
  angles = [0.5, -0.5, 0.25]
  isPressed = false
  isSilent = false
  isHungUp = false
  says: string | undefined
  radPerS = 2
  #target = this.angles
  readonly #server: Server
  #socket: Socket | undefined
  readonly #ticks: NodeJS.Timeout

  constructor() {
    this.#server = createServer((socket) => {
      this.#socket = socket
      const reader = createInterface(socket)
      for (const source of [reader, socket]) source.on('error', () => undefined)
      reader.on('line', (line) => this.#obey(line))
      socket.on('close', () => (this.isHungUp = true))
    })
    this.#ticks = setInterval(() => this.#tick(), 5)
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => void this.#server.listen(0, '127.0.0.1', resolve))
    return (this.#server.address() as AddressInfo).port
  }

  /** As when its cable is pulled. */
  cut(): void {
    this.#socket?.destroy()
  }

  /** As when it is switched off and on again: what comes next is answered by a reset of the connection. */
  reset(): void {
    this.#socket?.resetAndDestroy()
  }

  close(): void {
    clearInterval(this.#ticks)
    this.cut()
    this.#server.close()
  }

  #obey(line: string): void {
    this.lines.push(line)
    this.#target = line.startsWith('M') ? line.split(' ').slice(1).map(Number) : this.angles
  }

  #tick(): void {
    const step = this.radPerS * 0.005
    this.angles = this.angles.map((angle, i) => angle + Math.max(-step, Math.min(step, this.#target[i]! - angle)))
    if (!this.isSilent)
      this.#socket?.write(`${this.says ?? `S 0 ${this.angles.join(' ')} ${this.isPressed ? 1 : 0}`}\n`)
  }
}

let controller: Controller
let bridge: TestBridge | undefined
let arm: TcpArm

afterEach(async () => {
  await bridge?.close()
  bridge = undefined
  controller.close()
})

async function open(): Promise<TestBridge> {
  controller = new Controller()
  arm = await connectArm('127.0.0.1', await controller.listen(), clock)
  const element = { min: -2.5, max: 2.5, maxVelocity: 1, startTolerance: 0.2 }
  const names = arm.spec.actionSpace.names!
  const limits = loadLimits({
    name: 'arm',
    actionKind: 'position',
    elements: names.map((name) => ({ name, ...element })),
  })
  const estop = (): boolean => arm.isStopPressed
  // Its watchdogs are patient, as in all tests with a machine's own time.
  bridge = await openBridge({ robot: arm, limits, estop, ...PATIENT })
  return bridge
}

const isMoving = (): boolean => controller.lines.at(-1)?.startsWith('M') ?? false

describe('the driver of an arm behind TCP', () => {
  it('drives home, follows a policy within the limits, and stops', async () => {
    const { server } = await open()
    const client = await bridge!.connect()
    await client.lease({ ttlMs: 10_000 })
    await client.arm()
    const { proprio } = await client.reset()
    expect([...proprio].every((angle) => Math.abs(angle) < 0.011)).toBe(true)
    await client.start()
    const before = controller.lines.length
    let target = 0
    for (let k = 0; k < 20; k++) {
      const { observationSeq } = await client.nextObservation()
      target = Math.min(0.15, target + 0.05)
      client.act(Float32Array.of(target, 0, 0), { observationSeq })
    }
    expect(await until(() => controller.angles[0]! > 0.1)).toBe(true)
    const moves = controller.lines.slice(before).map((line) => Number(line.split(' ')[1]))
    for (let k = 1; k < moves.length; k++) expect(Math.abs(moves[k]! - moves[k - 1]!)).toBeLessThanOrEqual(0.0201)
    await client.stop('safe')
    expect(server.state).toBe('SAFE_STOP')
    expect(await until(() => controller.lines.at(-1) === 'O')).toBe(true)
  })

  it('ends its way home when it is stopped', async () => {
    await open()
    controller.radPerS = 0.01
    const client = await bridge!.connect()
    const operator = await bridge!.connect({ role: 'operator' })
    await client.lease({ ttlMs: 10_000 })
    await client.arm()
    const reset = client.reset()
    reset.catch(() => undefined)
    expect(await until(isMoving)).toBe(true)
    await operator.stop('hold')
    await expect(reset).rejects.toThrow(/epoch_stale/)
    expect(await until(() => controller.lines.at(-1) === 'H')).toBe(true)
    expect(bridge!.server.state).toBe('READY')
  })

  it('hangs up on an arm that says nothing', async () => {
    controller = new Controller()
    controller.isSilent = true
    await expect(connectArm('127.0.0.1', await controller.listen(), clock)).rejects.toThrow('the arm has said nothing')
    expect(await until(() => controller.isHungUp)).toBe(true)
  })

  it.each<[string, () => void, string]>([
    ['its emergency stop is pressed', () => (controller.isPressed = true), 'ESTOP'],
    ['its cable is pulled', () => controller.cut(), 'ESTOP'],
    ['its controller is switched off', () => controller.reset(), 'ESTOP'],
    ['it talks nonsense', () => (controller.says = 'X'), 'ESTOP'],
    ['its encoder fails', () => (controller.says = 'S 0 0.1 NaN 0.1 0'), 'SAFE_STOP'],
  ])('stops when %s', async (_, fail, state) => {
    const { server } = await open()
    await openActive(bridge!)
    fail()
    expect(await until(() => server.state === state)).toBe(true)
  })
})
