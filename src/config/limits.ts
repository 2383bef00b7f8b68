/** Seeds count by their lower 32 bits: larger ones would repeat smaller ones. */
export const MAX_SEED = 2 ** 32 - 1
/** Envs of one command, each with memory of its own, and threads for them. */
export const MAX_ENVS = 256
