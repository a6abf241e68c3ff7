#!/usr/bin/env bash
# A real tree through both views: cp -a into the mount, diff, again after a restart and after kill -9; a git repository
# in the mount; the same bucket out through the gateway with aws, and a tree in through it.
#
#   tests/e2e/tree.sh [SOURCE]     SOURCE: /usr/share by default
source "$(dirname "$0")/support.bash"
source_tree=${1:-/usr/share}
if [ ! -x "${VENV:-}/bin/aws" ]; then
    [ -z "${CI:-}" ] || fail "aws is not installed in VENV"
    say "SKIPPED: the part with aws (set VENV to a virtual environment with awscli)"
fi
files=$(find "$source_tree" | wc -l)
start
mkdir "$mnt/tree"
SECONDS=0
cp -a "$source_tree/." "$mnt/tree/"
say "cp -a of $files entries: $SECONDS s"
same "$source_tree" "$mnt/tree" "after cp"
diff <(cd "$source_tree" && find . -printf '%p %m %U %G %l %T@\n' | sed 's/\.[0-9]*$//' | sort) \
     <(cd "$mnt/tree" && find . -printf '%p %m %U %G %l %T@\n' | sed 's/\.[0-9]*$//' | sort) > "$work/meta" || { head "$work/meta"; fail "metadata differ"; }
stop
start
same "$source_tree" "$mnt/tree" "after a restart"
kill9
start
same "$source_tree" "$mnt/tree" "after kill -9"
say "equal after cp, restart and kill -9"

git init -q "$work/origin"
(cd "$work/origin" && cp -r "$root/docs" . && git add -A && git -c user.name=e -c user.email=e@localhost commit -qm one)
mkdir "$mnt/work"
git clone -q "$work/origin" "$mnt/work/clone"
(cd "$mnt/work/clone" && echo two > two && git add two && git -c user.name=e -c user.email=e@localhost commit -qm two && git fsck --strict)
kill9
start
(cd "$mnt/work/clone" && git fsck --strict && [ -z "$(git status --porcelain)" ]) || fail "the git repository is not whole after kill -9"
say "git clone, commit, fsck, fsck after kill -9"

if [ -x "${VENV:-}/bin/aws" ]; then
    unset AWS_CA_BUNDLE REQUESTS_CA_BUNDLE CURL_CA_BUNDLE http_proxy HTTP_PROXY || true
    export AWS_EC2_METADATA_DISABLED=true AWS_CONFIG_FILE=$work/aws AWS_SHARED_CREDENTIALS_FILE=/dev/null NO_PROXY=127.0.0.1
    export AWS_ACCESS_KEY_ID=$MINIO_ROOT_USER AWS_SECRET_ACCESS_KEY=$MINIO_ROOT_PASSWORD AWS_DEFAULT_REGION=us-east-1
    printf '[default]\ns3 =\n    multipart_threshold = 5GB\n' > "$work/aws"
    # Links are followed by neither side's sync in the same way: the part of the tree without them.
    mkdir "$work/plain"
    part=${AWS_PART:-doc}
    [ -d "$source_tree/$part" ] || part=.
    mapfile -d '' plain < <(cd "$source_tree/$part" && find . -type f -size -4M -print0)
    (cd "$source_tree/$part" && cp -p --parents -t "$work/plain" "${plain[@]:0:${AWS_FILES:-2000}}")
    mkdir "$mnt/plain" && cp -a "$work/plain/." "$mnt/plain/"
    "$VENV/bin/aws" --endpoint-url "$endpoint" s3 sync --only-show-errors s3://plain "$work/out"
    same "$work/plain" "$work/out" "out through S3"
    "$VENV/bin/aws" --endpoint-url "$endpoint" s3 mb s3://inward > /dev/null
    "$VENV/bin/aws" --endpoint-url "$endpoint" s3 cp --recursive --only-show-errors "$work/plain" s3://inward
    same "$work/plain" "$mnt/inward" "in through S3"
    [ -z "$("$VENV/bin/aws" --endpoint-url "$endpoint" s3 sync --only-show-errors --dryrun s3://inward "$work/out")" ] || fail "a second sync is not idle"
    say "$(find "$work/plain" -type f | wc -l) files out and in through S3"
fi
stop
"$STRONGROOM" fsck "$store" > "$work/fsck" || { cat "$work/fsck"; fail "fsck finds something"; }
say "fsck is clean"
