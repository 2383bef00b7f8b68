import type { ChildProcess } from 'node:child_process'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import type { Endpoints } from '../../../bridges/zmq/sockets.ts'
import { clock, SimpleRobot } from '../simple-robot.ts'
import type { Weather } from './chaos-proxy.ts'
import { ChaosProxy } from './chaos-proxy.ts'

/** A network between clients and a robot, on all four sockets. */
export interface Network {
  /** Of the control socket, through the network. */
  readonly endpoint: string
  weather: Weather
  cut(): void
  cutHalf(): void
  close(): Promise<void>
}

/**
 * Proxies at the robot's own ports of another loopback address: a client looks for the other three sockets at the host by which it reached
 * the first, so that nothing else has to be told of them.
 */
export async function networkTo(endpoints: Endpoints, host = '127.0.0.2'): Promise<Network> {
  const ports = Object.values(endpoints).map((endpoint: string) => Number(endpoint.split(':').at(-1)))
  const proxies = await Promise.all(ports.map((port) => ChaosProxy.to(port, { host, port })))
  return {
    endpoint: `tcp://${host}:${ports[0]}`,
    set weather(weather: Weather) {
      for (const proxy of proxies) proxy.weather = weather
    },
    cut: () => proxies.forEach((proxy) => proxy.cut()),
    cutHalf: () => proxies.forEach((proxy) => proxy.cutHalf()),
    close: async () => {
      await Promise.all(proxies.map((proxy) => proxy.close()))
    },
  }
}

/** Remembers when it was told what. */
export class TimedRobot extends SimpleRobot {
  readonly told: { readonly atUs: number; readonly action: readonly number[] }[] = []

  override async apply(action: Float32Array): Promise<void> {
    await super.apply(action)
    this.told.push({ atUs: clock(), action: [...action] })
  }

  /** First elements of the commands since entry `from`, each where it differs from the one before. */
  changes(from = 0): { readonly atUs: number; readonly value: number }[] {
    const all = this.told.map(({ atUs, action }) => ({ atUs, value: action[0]! }))
    return all.filter(({ value }, k) => k >= from && (k === 0 || value !== all[k - 1]!.value))
  }
}

/** That every action which came in has ended in exactly one place. */
export function expectConserved(counters: Readonly<Record<string, number>>): void {
  const [received = 0, ...ends] = (
    ['received', 'applied', 'late', 'too_early', 'superseded', 'rejected', 'pending'] as const
  ).map((name) => counters[`actions_${name}`]!)
  expect(received).toBeGreaterThan(0)
  expect(ends.reduce((sum, count) => sum + count)).toBe(received)
}

/** A script of this folder in a process of its own, once it has said that it is ready. */
export async function spawnScript(name: string, ...args: string[]): Promise<{ child: ChildProcess; first: unknown }> {
  const execArgv = ['--expose-gc', '--import', fileURLToPath(import.meta.resolve('tsx'))]
  const child = fork(fileURLToPath(new URL(name, import.meta.url)), args, { execArgv })
  const [first] = await once(child, 'message')
  return { child, first }
}

/** Sends `command` and waits for the answer. */
export async function ask<T>(child: ChildProcess, command: unknown): Promise<T> {
  const answer = once(child, 'message')
  child.send(command as string)
  return (await answer)[0] as T
}
