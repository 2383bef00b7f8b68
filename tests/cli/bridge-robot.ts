import { setTimeout as sleep } from 'node:timers/promises'
import type { Finished, Running } from './helpers.ts'
import { startCli } from './helpers.ts'

/** `armature robot` in a process of its own. */
export interface RobotProcess extends Running {
  readonly address: string
  /** What it has said so far, an object a line. */
  readonly said: readonly Readonly<Record<string, unknown>>[]
  /** Waits until it has said something that fits. */
  saying(fits: (line: Readonly<Record<string, unknown>>) => boolean): Promise<Readonly<Record<string, unknown>>>
  /** Ctrl-C. */
  stop(): Promise<Finished>
}

/** Starts a robot at ports that the system chooses, and waits until it listens. */
export async function startRobot(cwd: string, args: readonly string[]): Promise<RobotProcess> {
  const running = startCli(cwd, ['robot', ...args, '--bind', 'tcp://127.0.0.1:*', '--json'])
  const said: Record<string, unknown>[] = []
  let rest = ''
  running.child.stdout!.on('data', (piece: string) => {
    const lines = (rest + piece).split('\n')
    rest = lines.pop()!
    for (const line of lines) said.push(JSON.parse(line) as Record<string, unknown>)
  })
  const saying: RobotProcess['saying'] = async (fits) => {
    for (;;) {
      const line = said.find(fits)
      if (line !== undefined) return line
      if (running.child.exitCode !== null) throw new Error(`ended before: ${JSON.stringify(await running.finished)}`)
      await sleep(10)
    }
  }
  const { endpoints } = await saying(({ event }) => event === 'listening')
  const stop = (): Promise<Finished> => {
    running.child.kill('SIGINT')
    return running.finished
  }
  return { ...running, address: (endpoints as { control: string }).control, said, saying, stop }
}
