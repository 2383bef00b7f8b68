import { Argument } from 'commander'
import type { CommandLine } from './command-line.ts'
import type { DataAction, DataFlags } from './data.ts'
import { commaCounts, commaNames, rate, stepsOrNone } from './options.ts'

/** What `armature data` does; all but `info` and `check` write a copy. */
const ACTIONS = ['info', 'check', 'import', 'repair', 'delete', 'trim', 'relabel', 'split', 'merge'] as const

/** `data`. */
export function addDataCommand(line: CommandLine): void {
  const command = line.command('data', 'look at recorded datasets, check them, or write a changed copy', {
    'data info data/push': 'what is in it',
    'data check data/push': 'read every row and frame; exit code 1 and a line for each fault',
    'data import demos.hdf5 --out data/demos':
      "robomimic's demonstrations; also MCAP, ROS 2 bags and the cache of a hub",
    'data import bag --action /arm/command --out data/bag': 'where it is not clear which topic is the action',
    'data repair data/push --out data/whole': 'copy the episodes that read whole',
    'data delete data/push --episodes 3,7 --out data/less': 'copy the others',
    'data split data/push --episodes 3,7 --out data/two': 'copy these',
    'data trim data/push --from 5 --to 40 --out data/short': 'copy rows 5 to 39 of every episode',
    'data relabel data/push --task "push the puck" --out data/named':
      'copy all, with other words for what was to be done',
    'data merge data/push data/more --out data/all': 'copy all into one',
  })
  command
    .addArgument(new Argument('<action>').choices(ACTIONS))
    .argument('<datasets...>', 'folders, or a file to import; one, but for merge')
    .option('--out <dir>', 'folder of the copy')
    .option('--episodes <numbers>', 'episodes, separated by commas', commaCounts)
    .option('--task <text>', 'what the robot was to do, in words')
    .option('--action <topic>', 'topic of the actions in a recording that is imported')
    .option('--proprio <topics>', 'its topics of proprioception, separated by commas', commaNames)
    .option('--fps <n>', 'its observations a second (default: as many as actions)', rate)
    .option('--from <row>', 'first row to keep', stepsOrNone)
    .option('--to <row>', 'row after the last to keep', stepsOrNone)
    .action(async (action: DataAction, datasets: readonly string[], flags: DataFlags) => {
      const at = line.context()
      const { data } = await import('./data.ts')
      const report = await data(at, action, datasets, flags)
      line.finish(at, report, report.ok)
    })
}
