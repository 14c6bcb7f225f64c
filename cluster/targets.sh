# What a run is made of, asked of the Makefile: sourced by submit.sh and step.sh, which set RUN and RAW.
OUT=data/results/$RUN
LATE=14-roll-vegetation # of a region, after the stitch: it follows the product

# Targets that make would make now for the targets given; with -B, all that they are made of.
wanted() {
    LC_ALL=C make -n --trace "$@" RUN="$RUN" RAW="$RAW" |
        sed -nE "s/^[^ :]+:[0-9]+: (update )?target '([^']+)'.*/\2/p"
}

# Regions of the run.
regions() { wanted -B all | sed -n "s|^$OUT/\([^/]*\)/02-regrid\.ipynb$|\1|p"; }

# Regions that have a step after the stitch.
late() { wanted -B all | sed -n "s|^$OUT/\([^/]*\)/$LATE\.ipynb$|\1|p"; }

# Steps of the regions given up to the stitch, in the order of work.
steps() {
    local region all
    all=$(wanted -B all | sed "\|/$LATE\.ipynb$|d")
    for region in "$@"; do sed -n "\|^$OUT/$region/[^/]*\.ipynb$|p" <<< "$all"; done
}

# What the steps of the regions given share, 01-download aside: a network trained once for all, or nothing.
shared() {
    local region all
    # shellcheck disable=SC2046
    all=$(wanted -B $(steps "$@") | sed -n "\|^$OUT/|p" | sed "\|/01-download\.ipynb$|d")
    for region in "$@"; do all=$(sed "\|^$OUT/$region/|d" <<< "$all"); done
    echo "$all"
}
