"""Scripts by which shells complete `kubectl-populate`; what they offer, completion.py says."""

from __future__ import annotations

SCRIPTS = {
    "bash": """\
_kubectl_populate() {
  local IFS=$'\\n'
  COMPREPLY=($(kubectl-populate __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null |
    sed -e '/^:/d' -e $'s/\\t.*//'))
}
complete -F _kubectl_populate kubectl-populate
""",
    "zsh": """\
#compdef kubectl-populate
_kubectl_populate() {
  local line
  local -a found
  for line in ${(f)"$(kubectl-populate __complete "${(@)words[2,CURRENT]}" 2>/dev/null)"}; do
    [[ $line == :* ]] || found+=("${${line//:/\\\\:}/$'\\t'/:}")
  done
  _describe kubectl-populate found
}
compdef _kubectl_populate kubectl-populate
""",
    "fish": """\
function __kubectl_populate
    set --local words (commandline --tokenize --cut-at-cursor --current-process)
    set --local typed (commandline --current-token --cut-at-cursor)
    kubectl-populate __complete $words[2..] "$typed" 2>/dev/null | string match --invert ':*'
end
complete --command kubectl-populate --no-files --arguments '(__kubectl_populate)'
""",
}
