import { Argument } from 'commander'
import type { BenchGroup, BenchOptions } from './bench.ts'
import type { BridgeBenchOptions } from './bridge-benchmarks.ts'
import type { BridgeDoctorOptions } from './bridge-doctor.ts'
import type { CommandLine } from './command-line.ts'
import { withKeyFlags } from './commands-bridge.ts'
import { minutes, repetitions, wholeSeconds } from './options.ts'

/** `list`, `doctor` and `bench`. */
export function addMachineCommands(line: CommandLine): void {
  line
    .command('list [kind]', 'presets, envs, encoders, agents and what goals are made of, or one kind of them', {
      list: 'for people',
      'list encoders': 'one kind',
      'list --json': 'for programs',
    })
    .action(async (kind: string | undefined) => {
      const at = line.context()
      const { list } = await import('./list.ts')
      line.finish(at, list(at, kind))
    })
  addDoctor(line)
  addBench(line)
}

function addDoctor(line: CommandLine): void {
  const command = line.command(
    'doctor [address]',
    'what this machine has, and which engines run; of a robot: whether it can be driven',
    { doctor: 'this machine', 'doctor tcp://127.0.0.1:5600': 'the robot there, and the way to it' },
  )
  withKeyFlags(command)
    .option('--seconds <n>', 'for so long a robot is observed', wholeSeconds, 5)
    .action(async (address: string | undefined, options: BridgeDoctorOptions) => {
      const at = line.context()
      if (address === undefined) {
        const { doctor } = await import('./doctor.ts')
        return line.finish(at, await doctor(at))
      }
      const { bridgeDoctor } = await import('./bridge-doctor.ts')
      const report = await bridgeDoctor(at, address, options)
      line.finish(at, report, report.ok)
    })
}

function addBench(line: CommandLine): void {
  line
    .command('bench', 'how fast this machine runs the parts, medians over repetitions', {
      bench: 'learning and acting',
      'bench --only sac_update_ms,act_ms --repetitions 100': 'two of them, more often',
      'bench env': 'the scenes',
      'bench encoders --threads 1': 'an update of every encoder, and a frame encoded by each',
    })
    .addArgument(
      new Argument(
        '[group]',
        'env: the scenes and the parts of their steps; encoders: updates and latents of each; bridge: observations and actions between two processes',
      ).choices(['env', 'encoders', 'bridge']),
    )
    .option('--only <names>', 'benchmarks to run, separated by commas')
    .option('--repetitions <n>', 'timed repetitions of each', repetitions, 30)
    .option('--seconds <n>', 'bridge: of each measurement', wholeSeconds, 20)
    .option('--minutes <n>', 'bridge --only soak: how long', minutes, 10)
    .action(async (group: BenchGroup | 'bridge' | undefined, options: BenchOptions & BridgeBenchOptions) => {
      if (group === 'bridge') {
        const at = line.context()
        const { bridgeBench } = await import('./bridge-benchmarks.ts')
        return line.finish(at, await bridgeBench(at, options))
      }
      const at = await line.withEngine()
      const { bench } = await import('./bench.ts')
      line.finish(at, await bench(at, group, options))
    })
}
