# bash completion for doppel. Names come from the command itself, so they are never out of date.

_doppel_names() {
	doppel __complete "$1" 2>/dev/null
}

# Complete the last word of a comma-separated list; $1: candidates, $2: the whole word.
_doppel_list() {
	local head= last=$2
	if [[ $2 == *,* ]]; then
		head=${2%,*},
		last=${2##*,}
	fi
	COMPREPLY=($(compgen -P "$head" -W "$1" -- "$last"))
	compopt -o nospace
}

_doppel() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} cmd=${COMP_WORDS[1]}

	if ((COMP_CWORD == 1)); then
		COMPREPLY=($(compgen -W "$(_doppel_names command) --help --version" -- "$cur"))
		return
	fi
	case $cmd:$prev in
	disk:disk)
		COMPREPLY=($(compgen -W "create info convert check --help" -- "$cur"))
		return ;;
	disk:--format | disk:--from | disk:--backing-format)
		COMPREPLY=($(compgen -W "raw qcow2" -- "$cur"))
		return ;;
	disk:--option | disk:-o)
		_doppel_list "cluster_size= compat=v3 compat=v2 compression_type=zlib compression_type=zstd extended_l2=on extended_l2=off help lazy_refcounts=on lazy_refcounts=off refcount_bits=" "$cur"
		return ;;
	run:--disk)
		if [[ $cur == *,* ]]; then
			_doppel_list "format=raw format=qcow2 overlay readonly bus=virtio bus=ide serial= queues= cache=writeback cache=unsafe" "$cur"
		else
			compopt -o filenames
			COMPREPLY=($(compgen -f -- "$cur"))
		fi
		return ;;
	run:--kernel | run:--initrd | run:--config)
		compopt -o filenames
		COMPREPLY=($(compgen -f -- "$cur"))
		return ;;
	run:--engine | run:--machine | explain:--engine)
		COMPREPLY=($(compgen -W "$(_doppel_names "${prev#--}")" -- "$cur"))
		return ;;
	run:--trace | run:--dump)
		_doppel_list "$(_doppel_names "${prev#--}")" "$cur"
		return ;;
	run:--stress)
		_doppel_list "$(_doppel_names stress)" "$cur"
		return ;;
	run:--no-pass)
		_doppel_list "$(_doppel_names pass) all" "$cur"
		return ;;
	run:--cpu)
		if [[ $cur == *,* ]]; then
			local f
			_doppel_list "$(for f in $(_doppel_names feature); do echo "+$f -$f"; done)" "$cur"
		else
			COMPREPLY=($(compgen -W "$(_doppel_names cpu)" -- "$cur"))
		fi
		return ;;
	run:--serial)
		COMPREPLY=($(compgen -W "stdio none file=" -- "$cur"))
		return ;;
	run:--clock)
		COMPREPLY=($(compgen -W "real counted" -- "$cur"))
		return ;;
	run:--append | run:--cpus | run:--memory | run:--code-cache | explain:--set)
		return ;;
	explain:--mode)
		COMPREPLY=($(compgen -W "16 32 64" -- "$cur"))
		return ;;
	esac
	case $cmd in
	run) COMPREPLY=($(compgen -W "$(_doppel_names option)" -- "$cur")) ;;
	disk)
		if [[ $cur == -* ]]; then
			COMPREPLY=($(compgen -W "--format --from --backing --backing-format --option --compress --force --json --repair --quiet --help" -- "$cur"))
		else
			compopt -o filenames
			COMPREPLY=($(compgen -f -- "$cur"))
		fi ;;
	explain) COMPREPLY=($(compgen -W "--mode --engine --set --help" -- "$cur")) ;;
	help) COMPREPLY=($(compgen -W "$(_doppel_names command)" -- "$cur")) ;;
	esac
}

complete -F _doppel doppel
