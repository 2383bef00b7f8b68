import type { Dataset } from '../../core/dataset.ts'
import { ArmatureError } from '../../core/errors.ts'

/** Opens a LeRobot folder (v3.0 or v2.1), ours or another's. */
export async function openDataset(path: string): Promise<Dataset> {
  throw new ArmatureError('not-found', path)
}
