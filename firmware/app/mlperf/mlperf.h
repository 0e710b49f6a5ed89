/* MLPerf Tiny's device protocol: text commands on the port that also carries the link. MLPERF.md states it. */
#ifndef TINYCONV_MLPERF_H
#define TINYCONV_MLPERF_H

#include "../session.h"
#include "command_line.h"

/* Looks for an MLPerf block behind the plan in flash; if there is one, greets the benchmark's runner. */
void mlperf_start(struct session *session);

/* Works off a command that has ended and replies. */
void mlperf_command(struct session *session, struct command_line *line);

/* Ends energy mode until the next start: from now on the serial line runs at the manifest's rate, and times are text. */
void mlperf_leave_energy_mode(void);

#endif
