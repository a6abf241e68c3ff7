# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_strongroom_global_optspecs
    string join \n json h/help V/version
end

function __fish_strongroom_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_strongroom_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_strongroom_using_subcommand
    set -l cmd (__fish_strongroom_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c strongroom -n "__fish_strongroom_needs_command" -l json -d 'Answer in JSON, with stable fields'
complete -c strongroom -n "__fish_strongroom_needs_command" -s h -l help -d 'Print help'
complete -c strongroom -n "__fish_strongroom_needs_command" -s V -l version -d 'Print version'
complete -c strongroom -n "__fish_strongroom_needs_command" -f -a "status" -d 'Show what a store tells of itself: KMS, keys, space, buckets'
complete -c strongroom -n "__fish_strongroom_needs_command" -f -a "bucket" -d 'List, create or remove buckets'
complete -c strongroom -n "__fish_strongroom_needs_command" -f -a "fsck" -d 'Read and verify everything in a store; say what is wrong and where'
complete -c strongroom -n "__fish_strongroom_needs_command" -f -a "xattr" -d 'Print the user.sse.* attributes of a file, a directory or a bucket in a mount'
complete -c strongroom -n "__fish_strongroom_needs_command" -f -a "completions" -d 'Print a completion script for a shell'
complete -c strongroom -n "__fish_strongroom_using_subcommand status" -l json -d 'Answer in JSON, with stable fields'
complete -c strongroom -n "__fish_strongroom_using_subcommand status" -s h -l help -d 'Print help'
complete -c strongroom -n "__fish_strongroom_using_subcommand bucket; and not __fish_seen_subcommand_from list create remove" -l json -d 'Answer in JSON, with stable fields'
complete -c strongroom -n "__fish_strongroom_using_subcommand bucket; and not __fish_seen_subcommand_from list create remove" -s h -l help -d 'Print help'
complete -c strongroom -n "__fish_strongroom_using_subcommand bucket; and not __fish_seen_subcommand_from list create remove" -f -a "list" -d 'List the buckets of a store'
complete -c strongroom -n "__fish_strongroom_using_subcommand bucket; and not __fish_seen_subcommand_from list create remove" -f -a "create" -d 'Create a bucket under the store\'s default key'
complete -c strongroom -n "__fish_strongroom_using_subcommand bucket; and not __fish_seen_subcommand_from list create remove" -f -a "remove" -d 'Remove an empty bucket'
complete -c strongroom -n "__fish_strongroom_using_subcommand bucket; and __fish_seen_subcommand_from list" -l json -d 'Answer in JSON, with stable fields'
complete -c strongroom -n "__fish_strongroom_using_subcommand bucket; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c strongroom -n "__fish_strongroom_using_subcommand bucket; and __fish_seen_subcommand_from create" -l json -d 'Answer in JSON, with stable fields'
complete -c strongroom -n "__fish_strongroom_using_subcommand bucket; and __fish_seen_subcommand_from create" -s h -l help -d 'Print help'
complete -c strongroom -n "__fish_strongroom_using_subcommand bucket; and __fish_seen_subcommand_from remove" -l json -d 'Answer in JSON, with stable fields'
complete -c strongroom -n "__fish_strongroom_using_subcommand bucket; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c strongroom -n "__fish_strongroom_using_subcommand fsck" -l accept-loss -d 'Let a bucket that lost something be written again; may be given several times. No daemon may hold the store' -r
complete -c strongroom -n "__fish_strongroom_using_subcommand fsck" -l accept-catalog-loss -d 'Let the store be written again although its catalog lost something. No daemon may hold the store'
complete -c strongroom -n "__fish_strongroom_using_subcommand fsck" -l json -d 'Answer in JSON, with stable fields'
complete -c strongroom -n "__fish_strongroom_using_subcommand fsck" -s h -l help -d 'Print help'
complete -c strongroom -n "__fish_strongroom_using_subcommand xattr" -l json -d 'Answer in JSON, with stable fields'
complete -c strongroom -n "__fish_strongroom_using_subcommand xattr" -s h -l help -d 'Print help'
complete -c strongroom -n "__fish_strongroom_using_subcommand completions" -l json -d 'Answer in JSON, with stable fields'
complete -c strongroom -n "__fish_strongroom_using_subcommand completions" -s h -l help -d 'Print help'
