/* The emulator behind four functions. Each answers 1, or 0 where it could not; the reason is then one line on standard
 * error. Arrays belong to the host, lie in C order (the last index runs fastest) and are read or written in place. */

/* Load the bundle (a folder) and the window to start from (NetCDF, made by prepare.py). The host's LUH2 cells, which
 * cover the window: centres in degrees, north to south and west to east. Gives the shape of the land-use map. */
int ai4land_init(const char *bundle, const char *start, int luh2_rows, int luh2_columns, const double *lat,
                 const double *lon, int *rows, int *columns);

/* Start from the window's maps. luh2 [state][luh2_row][luh2_column]: LUH2's states of the start year in the order of
 * model.json, in LUH2's units, NaN where there is ocean. Writes land_use [row][column] (codes of the legend, 255 without
 * data) and the area of one cell of each row, km2. */
int ai4land_start(int year, const float *luh2, uint8_t *land_use, double *cell_area);

/* Step to the next year, or to the one before it, with LUH2's states of that year. Writes land_use [row][column]. */
int ai4land_step(int year, const float *luh2, uint8_t *land_use);

/* Write the state to a NetCDF file (.nc), from which Emulator.step goes on, and let the emulator go. */
int ai4land_finalise(const char *state);
