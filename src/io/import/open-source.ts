import { readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Dataset } from '../../core/dataset.ts'
import { ArmatureError } from '../../core/errors.ts'
import { isFileError } from '../atomic.ts'
import { openRegularFile, readRegularFile } from '../contained-files.ts'
import { openDataset } from '../lerobot/reader.ts'
import type { McapMapping } from './mcap-recording.ts'
import { openMcapRecording } from './mcap-recording.ts'
import { openRobomimic } from './robomimic.ts'

/** Of the name of a commit. */
const MAX_REF_BYTES = 200

/** Something to import: it is a dataset to read, and may have to be closed. */
export type ImportSource = Dataset & { close?(): unknown }

/**
 * Opens what `armature data import` takes: robomimic's HDF5 files, MCAP files and ROS 2 bags of them, dataset folders, and datasets in the
 * cache of a hub, of which the commit that `refs/main` names is read.
 *
 * @throws ArmatureError `not-found`; `bad-argument` for what is none of them; else as the opening of each.
 */
export async function openImportSources(path: string, mapping: McapMapping): Promise<ImportSource[]> {
  const stats = await stat(path).catch((error: unknown) => {
    if (!isFileError(error, 'ENOENT') && !isFileError(error, 'ENOTDIR')) throw error
    throw new ArmatureError('not-found', `no file or folder ${path}`, { cause: error })
  })
  if (!stats.isDirectory()) return [await openFile(path, mapping)]
  const names = await readdir(path)
  const bags = names.filter((name) => name.endsWith('.mcap')).toSorted()
  if (bags.length > 0) return Promise.all(bags.map((name) => openMcapRecording(join(path, name), mapping)))
  if (names.some((name) => name.endsWith('.db3'))) {
    throw new ArmatureError('bad-argument', path, {
      expected: 'a bag of MCAP files',
      got: 'one of SQLite files',
      fix: 'convert it with "ros2 bag convert"',
    })
  }
  return [await openDataset(names.includes('snapshots') ? await snapshotOf(path) : path)]
}

async function openFile(path: string, mapping: McapMapping): Promise<ImportSource> {
  const { file } = await openRegularFile(path)
  const head = Buffer.alloc(8)
  await file.read(head, 0, 8, 0)
  await file.close()
  if (head.toString('latin1', 1, 5) === 'MCAP') return openMcapRecording(path, mapping)
  if (/\.(hdf5|h5)$/.test(path) || head.toString('latin1', 1, 4) === 'HDF') return openRobomimic(path)
  throw new ArmatureError('bad-argument', path, {
    expected: 'an HDF5 file of robomimic, an MCAP file, a ROS 2 bag, or a dataset folder',
    got: `a file that is none of them (${basename(path)})`,
  })
}

/** The folder of the commit that the cache of a hub has as its main one, or of the only one. */
async function snapshotOf(cache: string): Promise<string> {
  const commits = await readdir(join(cache, 'snapshots'))
  const main = await readRegularFile(join(cache, 'refs/main'), MAX_REF_BYTES)
    .then((text) => text.toString().trim())
    .catch(() => undefined)
  const commit = main !== undefined && commits.includes(main) ? main : commits.length === 1 ? commits[0] : undefined
  if (commit !== undefined) return join(cache, 'snapshots', commit)
  throw new ArmatureError('bad-argument', cache, {
    expected: 'the folder of one snapshot',
    got: `${commits.length}, and no refs/main that names one`,
    fix: `name it, e.g. ${join(cache, 'snapshots', commits[0] ?? '<commit>')}`,
  })
}
