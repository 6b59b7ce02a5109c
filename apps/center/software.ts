/** Name and version as told to administrators. */
export const software = 'hyperward-center 0.1.0'
