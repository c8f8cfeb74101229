# Runs the passes of the tests one after the other, and checks what each leaves behind; sourced by tests/run. The sourcing
# script stands in the root of the project and defines `say`.
#
# A pass that fails does not hide the passes after it. A pass that leaves a process, a file or a network namespace behind
# has failed, even if its tests passed.

# Where passes keep their temporary files. Each pass also has this path in its environment.
scratch=
# How many seconds a process has that is about to end.
patience=10
# How long a pass may take. One that hangs would hide the passes after it.
pass_deadline=60m
failures=()

begin_passes() {
    scratch=$(mktemp --directory --tmpdir portcullis-tests.XXXXXX)
    # The user that a gateway becomes must reach the files of its test.
    chmod 711 "$scratch"
    mkdir "$scratch/tmp"
    checkout_state > "$scratch/checkout-before"
    namespaces_without_owner > "$scratch/namespaces-before"
    trap 'end_processes; rm -rf "$scratch"' EXIT
    trap 'exit 130' INT TERM
}

# `pass NAME COMMAND...`
pass() {
    local name=$1 begun=$SECONDS kind left
    shift
    say "pass \"$name\""
    if ! in_a_session "$@"; then
        failures+=("pass \"$name\" failed")
    fi
    for kind in processes files checkout_changes namespaces; do
        while IFS= read -r left; do
            failures+=("pass \"$name\" left behind: $left")
        done < <(left_"$kind")
    done
    # The next pass answers for itself alone.
    end_processes
    find "$scratch/tmp" -mindepth 1 -delete
    checkout_state > "$scratch/checkout-before"
    namespaces_without_owner > "$scratch/namespaces-before"
    say "pass \"$name\" took $((SECONDS - begun)) s"
}

# Says what has failed, and gives it as the status.
end_passes() {
    local failure
    if (( ${#failures[@]} == 0 )); then
        say "all passes passed, and nothing was left behind"
        return 0
    fi
    for failure in "${failures[@]}"; do
        say "FAILED: $failure"
    done
    return 1
}

# A session of its own: what begins in it stays in it, also if its parent ends and its environment is overwritten, as
# nginx does. The variable is for what begins another session.
in_a_session() {
    # shellcheck disable=SC2016
    TMPDIR=$scratch/tmp PORTCULLIS_TESTS_RUN=$scratch \
        setsid --fork --wait bash -c 'echo $$ > "$1"; shift; exec timeout "$@"' bash "$scratch/session" \
        "$pass_deadline" "$@"
}

# `ID COMMAND` for each process of the last pass that runs. One look at the environments of all, and last: a process that
# begins meanwhile has that of its parent, and a program started for each would take seconds on busy cores.
pass_processes() {
    local session folder line fields id
    local -A found=()
    session=$(cat "$scratch/session" 2> /dev/null || echo none)
    for folder in /proc/[0-9]*; do
        # The name of the program is in parentheses and may contain anything; after it come state, parent, group, session.
        read -r line 2> /dev/null < "$folder/stat" || continue
        read -r -a fields <<< "${line##*) }"
        if [[ ${fields[0]} != Z && ${fields[3]} == "$session" ]]; then
            found[${folder#/proc/}]=1
        fi
    done
    while IFS=/ read -r _ _ id _; do
        found[$id]=1
    done < <(grep --files-with-matches --null-data --line-regexp --fixed-strings "PORTCULLIS_TESTS_RUN=$scratch" \
        /proc/[0-9]*/environ 2> /dev/null)
    for id in "${!found[@]}"; do
        printf '%s %s\n' "$id" "$(tr '\0' ' ' 2> /dev/null < "/proc/$id/cmdline" || true)"
    done
}

left_processes() {
    local found deadline=$((SECONDS + patience))
    while found=$(pass_processes) && [[ -n $found ]] && (( SECONDS < deadline )); do
        sleep 0.1
    done
    if [[ -n $found ]]; then
        sed 's/^/process /' <<< "$found"
    fi
}

# Again until none is left: one that is not killed yet may start others. On busy cores a killed process needs a while to be
# gone, and the next pass would be blamed for it.
end_processes() {
    local found id _command deadline=$((SECONDS + 30))
    while found=$(pass_processes) && [[ -n $found ]] && (( SECONDS < deadline )); do
        while read -r id _command; do
            kill -s KILL "$id" 2> /dev/null || true
        done <<< "$found"
        sleep 0.1
    done
}

left_files() {
    find "$scratch/tmp" -mindepth 1 -maxdepth 1 -printf 'temporary file %f\n'
}

# Files that are changed or not known to git; nothing where there is no git.
checkout_state() {
    git status --porcelain --untracked-files=all 2> /dev/null | sort || true
}

left_checkout_changes() {
    comm -13 "$scratch/checkout-before" <(checkout_state) | sed 's/^/in the checkout: /'
}

# Networks of the benchmark whose process, named in their names, has ended.
namespaces_without_owner() {
    local file name id
    for file in /run/netns/portcullis-bench-*; do
        name=${file##*/}
        id=${name#portcullis-bench-}
        if [[ -e $file && ! -e /proc/${id%%-*} ]]; then
            echo "$name"
        fi
    done
}

left_namespaces() {
    comm -13 "$scratch/namespaces-before" <(namespaces_without_owner) | sed 's/^/network namespace /'
}
