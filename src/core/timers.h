/* timers.h - How long a node waits for what. */
#ifndef HF_CORE_TIMERS_H
#define HF_CORE_TIMERS_H

/* The timers of the protocol, in milliseconds. LEASE is counted from the
 * sending of the heartbeat that was echoed, GUARD from its arrival, which is
 * later, so GUARD > LEASE means: who waited for the guard knows that the lease
 * is over, with 20 % to spare for clocks of different speed. */
enum {
    HF_HEARTBEAT_MS = 100,
    HF_SUSPECT_MS = 800,
    HF_LEASE_MS = 1000,
    HF_GUARD_MS = 1200,
    HF_FORK_DELAY_MS = 2000,      /* After the guard; others may come back. */
    HF_MERGE_RESEND_MS = 200,     /* What was handed over without an answer. */
    HF_MERGE_DEFER_MS = 1000,     /* Who is to take it over is away. */
    HF_MERGE_LOST_MS = 3000,      /* Nobody to hand over to: go on ourselves. */
    HF_MERGE_ALONE_MS = 5000,     /* Others of ours do not give way with us. */
    HF_TAKEOVER_ORDER_MS = 10000, /* How long an operator's order holds. */
    HF_TAKEOVER_STEP_MS = 200, /* Per rank, when lower ranks do not propose. */
    HF_BALLOT_RETRY_MS = 50,   /* Repeat PREPARE and ACCEPT. */
    HF_BALLOT_GIVE_UP_MS = 1000, /* Of each half: like a lease. */
    HF_STUCK_MS = 300,           /* A promise, and nobody asks any more. */
    HF_JOIN_GATHER_MS = 30,      /* Let joins come together. */
    HF_MOVE_GATHER_MS = 250,     /* Between views that only move data, */
    HF_MOVE_WAIT_MS = 5000,      /* the same while some copy is being filled. */
    HF_LISTEN_MS = 600,         /* A cluster that knows us would have called. */
    HF_DISCOVERY_MS = 3000,     /* Looking for a cluster before starting one. */
    HF_ANSWERED_MS = 15000,     /* The same while a seed accepts connections. */
    HF_ORIGIN_GONE_MS = 120000, /* Longer than any hold time. */
    HF_UNHEARD_MS = 300,        /* It says that it does not hear us. */
    HF_LATE_LASTS_MS = 3000,    /* It gave back what is older than a lease. */
    HF_WITHHOLD_MS = 600,       /* After a PREPARE without it, no grants. */
    HF_DESERTED_MS = 10000,     /* Nobody is heard of whom we wait for. */
    HF_PROBE_MS = 100,          /* Between probes of a lost peer. */
    HF_VIEW_RESEND_MS = 50,
    HF_RESEND_MS = 500, /* Without progress: sent, or pulled, again. */
    HF_LATE_MS = 100,   /* A step that comes later than that was held up. */
    HF_LEARNER_SLOW_MS = 300, /* Within the hold: no client notices. */
    HF_SLOW_MS = 2000, /* Longer than suspicion and guard, and three resends. */
    HF_SLOW_BALLOT_MS = 5000, /* Of who has promised: ballots end, mostly. */
    HF_SLOW_PAUSE_MS = 1000,  /* Then it is filled again, but later and */
    HF_SLOW_PAUSE_MAX_MS = 60000, /* later each time, up to that. */
    HF_FILL_SOON_MS = 100, /* Acknowledged sooner: more may be under way. */
    HF_FILL_LATE_MS = 200, /* Later: less, for clients wait behind it. */
    HF_FILL_BURST_MS = 50, /* What filling may catch up with, of its rate. */
    HF_TELL_MS = 1,        /* A commit waits so long for a frame to go with. */
    HF_NEWS_WAIT_MS = 300, /* For all to hear of a subscription. */
    HF_TELL_WAIT_MS = 200, /* For how many got what was published. */
    HF_TICK_BUSY_MS = 10,
    HF_TICK_IDLE_MS = 50,
};

#endif
