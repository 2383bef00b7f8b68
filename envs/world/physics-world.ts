import type { World } from '@dimforge/rapier3d-simd-compat'
import type { PhysicsEngine } from './engine.ts'

/** Substep of all table-top scenes: 12 make one control step at 20 Hz. */
export const TIMESTEP_S: number = 1 / 240

/**
 * Contact stiffness as a natural frequency. At Rapier's default of 30 Hz a force-capped hand sinks centimetres into a light object;
 * at 120 Hz it stays below a millimetre.
 */
export const CONTACT_FREQUENCY_HZ: number = 120

/**
 * Rapier reuses old contact points until bodies have moved by 5 cm of this unit along each other. At its default of 1 a hand that
 * circles a puck 5 mm away drags it around by the stale contact; at 0.02 the limit is 1 mm.
 */
export const LENGTH_UNIT: number = 0.02

const GRAVITY_M_PER_S2 = 9.81

/** What differs in a world where things are held between fingers. */
export interface GripSettings {
  readonly contactFrequencyHz: number
  /** Sweeps over the contacts per solver iteration: with one, what is held creeps. */
  readonly pgsIterations: number
}

/**
 * A Rapier world with the defaults of every Armature scene: z up, SI units, 1/240 s substeps, stiff contacts. Bodies must be
 * created with `setCanSleep(false)`: a kinematic pusher passes through a sleeping body. `grip` is for worlds with a gripper.
 */
export function createWorld(engine: PhysicsEngine, grip?: GripSettings): World {
  const world = new engine.rapier.World({ x: 0, y: 0, z: -GRAVITY_M_PER_S2 })
  world.timestep = TIMESTEP_S
  world.lengthUnit = LENGTH_UNIT
  world.integrationParameters.numSolverIterations = 4
  world.integrationParameters.contact_natural_frequency = grip?.contactFrequencyHz ?? CONTACT_FREQUENCY_HZ
  if (grip !== undefined) world.integrationParameters.numInternalPgsIterations = grip.pgsIterations
  return world
}

/**
 * A new world that continues bit for bit from `snapshot`. Handles of bodies and joints stay valid; wrapper objects of the old world
 * do not, so look them up again. The old world is not freed.
 */
export function restoreWorld(engine: PhysicsEngine, snapshot: Uint8Array): World {
  return engine.rapier.World.restoreSnapshot(snapshot)
}
