/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The collection protocol (docs/collection.md) for spin. Every listing, put and removal is one step; between any two steps every other
 * process may go on, and any process may stop for ever: that is a crash.
 *
 *     packs    D  data, there from the beginning        roots  S0  states M, there from the beginning
 *              M  meta, names D, there from the beginning      S1  states N, by writer 1
 *              N  meta, names D, by writer 1                   S2  states M or N, by writer 2
 *
 * Writer 1 deduplicates into D. Writer 2 builds on the snapshot S0 or S1, or on a digest record in N, and looks at what it states only.
 * Two collectors; a hand that forgets S0 and S1; a clock. No pack is too young: the least age is not what safety rests on.
 *
 * All of it at once is too large to visit. tests/component/model-collect visits scenes, with one of the writers or one of the collectors
 * left out. A mutation takes one rule out (spin -DNAME): then an assertion must fail.
 */

#ifndef TIME_MOST
#define TIME_MOST 3
#endif
#define WINDOW    1
#define MARGIN    1
#ifdef SHORT_GRACE
#define GRACE 1
#else
#define GRACE 2
#endif
#define VERDICT 1 /* from a look at the roots to the verdict */
#define SESSION 2
#ifdef NO_TOMBSTONE
#define TOMBSTONE 0
#else
#define TOMBSTONE 3
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef RUNS
#define RUNS 2 /* of the first collector; the second makes one less, but at least one */
#endif

#define D 1
#define M 2
#define N 4
#define NEED_0 (M | D)
#define NEED_1 (N | D)

#define S0     1
#define S1     2
#define S2     4

byte now;
byte packs = D | M;
byte roots = S0;
byte second;      /* the meta pack that S2 states */
bool late1, late2, sure1, sure2; /* landed too late; its writer reported success */
bool forgot1;

/* Records, by round. */
bool condemned[ROUNDS], removed[ROUNDS], finished[ROUNDS];
bool valid[ROUNDS]; /* the verdict came in time */
byte condemned_at[ROUNDS], finished_at[ROUNDS], condemned_set[ROUNDS], removed_set[ROUNDS];
byte begun;     /* rounds that have an id */
bool collecting; /* the first collector has begun: the two are alike, so it may as well be the first */

/* The claim: a snapshot whose writer reported success, and that nobody forgot, misses no pack. */
inline safe()
{
    assert(!sure1 || forgot1 || (packs & NEED_1) == NEED_1);
    assert(!sure2 || (packs & (second | D)) == (second | D))
}

/* Only where rounds are forgotten does it matter how long a session lasts. */
#if TIME_MOST >= GRACE + TOMBSTONE
#define OPENED        opened = now
#define IS_LONG(used) (now - opened > SESSION && (packs & (used)) != (used))
#else
#define OPENED        skip
#define IS_LONG(used) false
#define NOTHING_IS_FORGOTTEN
#endif

/* ------------------------------------------------------------------------------------------------ writers */

/* The two listings of records, the second with what follows from both. `named`: packs that a record names; `until`: no later than a grace
 * allows whose record names some of `used`, but for rounds in `known`. */
inline list_condemned()
{
    d_step {
        i = 0;
        seen = 0;
        do
        :: i < ROUNDS ->
            if
            :: condemned[i] -> seen = seen | (1 << i)
            :: else
            fi;
            i++
        :: else -> break
        od;
        i = 0
    }
}

inline list_removed()
{
    d_step {
        i = 0;
        gone = 0;
        verdicts = 0;
        do
        :: i < ROUNDS ->
            if
            :: removed[i] ->
                gone = gone | removed_set[i];
                verdicts = verdicts | (1 << i)
            :: else
            fi;
            i++
        :: else -> break
        od;
        i = 0
    }
}

inline conclude(used)
{
    d_step {
        named = gone;
        i = 0;
        do
        :: i < ROUNDS ->
            if
            :: (seen & (1 << i)) && !(verdicts & (1 << i)) ->
                named = named | condemned_set[i];
                if
                :: (condemned_set[i] & (used)) && !(known & (1 << i)) && condemned_at[i] + GRACE < MARGIN + until ->
                    until = condemned_at[i] + GRACE - MARGIN
                :: else
                fi
            :: else
            fi;
            i++
        :: else -> break
        od;
        i = 0;
        refused = refused || (gone & (used)) || now > until;
        verdicts = 0;
        gone = 0
    }
}

inline look(used)
{
#ifdef WRONG_ORDER
    list_removed();
    atomic { list_condemned(); conclude(used) }
#else
    list_condemned();
    atomic { list_removed(); conclude(used) }
#endif
}

/* The last look before the commit, at `used`: leaves `until`, or `refused`. */
inline pass(used)
{
    atomic { refused = IS_LONG(used); until = now + WINDOW };
#ifndef NO_LOOK
    look(used);
#endif
    atomic { seen = 0; named = 0; known = 0; opened = 0 }
}

proctype writer_one()
{
    byte i, seen, verdicts, gone, named, known, opened, until, listed;
    bool refused;
    atomic { OPENED; listed = packs };
    look(0);
    atomic {
#ifdef USE_CONDEMNED
        known = seen;
        named = 0;
#endif
        seen = 0; refused = false
    };
    if
    :: !(listed & D) || (named & D) -> goto end /* D is stored anew: nothing is shared */
    :: else
    fi;
    atomic { packs = packs | N; listed = 0; named = 0 };
    pass(N | D);
    if
    :: refused -> goto end
    :: else
    fi;
    atomic { roots = roots | S1; late1 = now > until; until = 0 };
#ifndef NO_DEADLINE
    if
    :: late1 -> goto end
    :: else
    fi;
#endif
    atomic { sure1 = true; safe() };
end:
    atomic { listed = 0; named = 0; opened = 0; until = 0; refused = false }
}

proctype writer_two()
{
    byte i, seen, verdicts, gone, named, known, opened, until, listed, need;
    bool refused, digest;
    atomic { OPENED; listed = packs };
    look(0);
    atomic { seen = 0; refused = false };
    /* The parent that it reads, or a digest record. */
    atomic {
        if
        :: roots & S0 -> need = M
        :: roots & S1 -> need = N
        :: (listed & NEED_1) == NEED_1 && !(named & NEED_1) -> need = N; digest = true
        :: else -> goto end
        fi
    };
    if
    :: need == N && !digest && late1 -> look(0); atomic { seen = 0; refused = false }
    :: else
    fi;
    /* Whole: what was listed, or is there now, and no record names. */
    atomic {
        if
        :: !digest && ((named & (need | D)) || ((listed | packs) & (need | D)) != (need | D)) -> goto end
        :: else
        fi
    };
    atomic { listed = 0; named = 0; digest = false };
    pass(need);
    if
    :: refused -> goto end
    :: else
    fi;
    atomic { second = need; roots = roots | S2; late2 = now > until; until = 0; need = 0 };
#ifndef NO_DEADLINE
    if
    :: late2 -> goto end
    :: else
    fi;
#endif
    atomic { sure2 = true; safe() };
end:
    atomic { listed = 0; named = 0; opened = 0; until = 0; refused = false }
}

/* ------------------------------------------------------------------------------------------------ collectors */

inline list_roots()
{
    d_step {
        alive = 0;
        if
        :: roots & S0 -> alive = alive | NEED_0
        :: else
        fi;
        if
        :: roots & S1 -> alive = alive | NEED_1
        :: else
        fi;
        if
        :: roots & S2 -> alive = alive | second | D
        :: else
        fi
    }
}

/* What goes of round i: leaves `going`. A meta pack that stays keeps what it names. */
inline judge()
{
    d_step {
        going = condemned_set[i] & listed;
#ifndef NO_PARDON
        going = going & ~alive;
#ifndef NO_CLOSURE
        stays = listed & ~alive & ~condemned_set[i] & ~gone & (M | N);
        if
        :: stays -> going = going & ~D
        :: else
        fi
#endif
#endif
    }
}

/* The packs of `going`, one by one. */
inline remove_packs()
{
#ifndef NO_PARDON
    going = going & ~alive;
#endif
    do
    :: going & D -> atomic { packs = packs & ~D; going = going & ~D; listed = listed & ~D; safe() }
    :: going & M -> atomic { packs = packs & ~M; going = going & ~M; listed = listed & ~M; safe() }
    :: going & N -> atomic { packs = packs & ~N; going = going & ~N; listed = listed & ~N; safe() }
    :: else -> break
    od
}

/* One run takes up one round, and may begin another: a collector that takes up several is several that take up one each. */
proctype collector(bool other)
{
    byte i, seen, verdicts, gone, others, ended, listed, alive, going, stays, since, runs;
    !other || collecting;
again:
    atomic {
        collecting = true;
        runs++;
        since = now;
        list_condemned()
    };
    d_step { /* lists verdicts; what is condemned is read here, and taken for decided if it is no longer there */
        i = 0;
        do
        :: i < ROUNDS ->
            if
            :: finished[i] -> ended = ended | (1 << i)
            :: else
            fi;
            if
            :: removed[i] ->
                verdicts = verdicts | (1 << i);
                if
                :: valid[i] -> gone = gone | removed_set[i]
                :: else
                fi
            :: else ->
                if
                :: seen & (1 << i) -> others = others | condemned_set[i]
                :: else
                fi
            fi;
            i++
        :: else -> break
        od;
        i = 0
    };
    listed = packs;
    atomic { /* lists roots, and chooses a round */
        list_roots();
        if
        :: i = 0
        :: ROUNDS > 1 -> i = 1
        :: ROUNDS > 2 -> i = 2
        fi;
        if
        :: ended & (1 << i) -> goto forget
        :: else
        fi;
        if
        :: verdicts & (1 << i) -> goto resume
        :: else
        fi;
        if
        :: !(seen & (1 << i)) || !condemned[i] || since < condemned_at[i] + GRACE -> goto condemn
        :: else -> judge()
        fi
    };
#ifdef REMOVE_FIRST
    stays = going;
    remove_packs();
    going = stays;
#endif
    d_step { /* the verdict; one that is there counts */
        stays = 0;
        if
        :: removed[i]
        :: else ->
            removed[i] = true;
            removed_set[i] = going;
            valid[i] = now <= since + VERDICT;
            condemned_at[i] = 0;
            condemned_set[i] = 0
        fi
    };
resume:
    atomic {
        going = 0;
        if
        :: !removed[i] -> goto condemn /* forgotten meanwhile */
        :: removed[i] && valid[i] ->
            going = removed_set[i] & listed;
            gone = gone | removed_set[i];
            others = others & ~removed_set[i]
        :: else
        fi
    };
    remove_packs();
    atomic {
        if
        :: removed[i] && !(valid[i] && (removed_set[i] & listed)) ->
            finished[i] = true;
#ifndef NOTHING_IS_FORGOTTEN
            finished_at[i] = now;
#endif
            condemned[i] = false
        :: else
        fi;
        goto condemn
    };
forget:
    atomic {
#ifndef NOTHING_IS_FORGOTTEN
        if
        :: since - finished_at[i] >= TOMBSTONE ->
            removed[i] = false;
            finished[i] = false;
            removed_set[i] = 0;
            finished_at[i] = 0
        :: else
        fi
#endif
        skip
    };
condemn:
    atomic { /* what is dead and in no round */
        going = listed & ~alive & ~others & ~gone;
        if
        :: going && begun < ROUNDS ->
            condemned[begun] = true;
            condemned_at[begun] = now;
            condemned_set[begun] = going;
            begun++
        :: else
        fi;
        going = 0; stays = 0; alive = 0; listed = 0; seen = 0; verdicts = 0;
        gone = 0; others = 0; ended = 0; i = 0; since = 0;
        if
        :: runs < RUNS - (other && RUNS > 1) -> goto again
        :: else
        fi
    }
}

/* ------------------------------------------------------------------------------------------------ the rest */

proctype hand()
{
    do
    :: atomic { roots & S0 -> roots = roots & ~S0 }
    :: atomic { roots & S1 -> roots = roots & ~S1; forgot1 = true }
    :: break
    od
}

proctype clock()
{
    do
    :: now < TIME_MOST -> now++
    :: else -> break
    od
}

init
{
    atomic {
#ifndef WITHOUT_ONE
        run writer_one();
#endif
#ifndef WITHOUT_TWO
        run writer_two();
#endif
        run collector(false);
#ifndef ONE_COLLECTOR
        run collector(true);
#endif
        run hand();
        run clock()
    }
}
