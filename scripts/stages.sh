# Stages of a long job, sourced: each is named, timed and its outcome kept; `stages_end` prints what failed, the last
# lines of each stage and a table of where the minutes went.
STAGE_NAMES=() STAGE_SECONDS=() STAGE_OUTCOMES=()
STAGE_LOGS="$HADAL_ROOT/build/logs"

# stage NAME COMMAND...: runs the command, showing its output; returns its status.
stage() {
  local name="$1" start=$SECONDS status=0
  shift
  mkdir -p "$STAGE_LOGS"
  printf '\n=== %s\n' "$name"
  { "$@" 2>&1 || status=$?; } > >(tee -- "$STAGE_LOGS/$name.log")
  wait "$!" 2>/dev/null || true # tee's last lines
  STAGE_NAMES+=("$name")
  STAGE_SECONDS+=($((SECONDS - start)))
  STAGE_OUTCOMES+=("$([[ $status -eq 0 ]] && echo ok || echo FAILED)")
  return "$status"
}

# stages_end: the closing part; returns 1 if a stage failed.
stages_end() {
  local i lines total=0 failed=0
  printf '\n=== closing lines\n'
  for i in "${!STAGE_NAMES[@]}"; do
    printf '%s: %s\n' "${STAGE_NAMES[i]}" "${STAGE_OUTCOMES[i]}"
    if [[ ${STAGE_OUTCOMES[i]} == ok ]]; then lines=2; else lines=25; fi
    grep -v '^[[:space:]]*$' "$STAGE_LOGS/${STAGE_NAMES[i]}.log" | tail -n "$lines" | sed 's/^/    /' || true
  done
  printf '\n=== minutes\n'
  for i in "${!STAGE_NAMES[@]}"; do
    printf '%-22s %3d:%02d  %s\n' "${STAGE_NAMES[i]}" $((STAGE_SECONDS[i] / 60)) $((STAGE_SECONDS[i] % 60)) "${STAGE_OUTCOMES[i]}"
    total=$((total + STAGE_SECONDS[i]))
    if [[ ${STAGE_OUTCOMES[i]} != ok ]]; then failed=1; fi
  done
  printf '%-22s %3d:%02d\n' total $((total / 60)) $((total % 60))
  return "$failed"
}
