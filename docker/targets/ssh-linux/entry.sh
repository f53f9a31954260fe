#!/bin/sh
# Host keys are made at the first start; the public key of the person who may sign in comes from LAB_PUBLIC_KEY.
set -eu
ssh-keygen -A
: "${LAB_PUBLIC_KEY:?set LAB_PUBLIC_KEY to the public key that may sign in as ann}"
printf '%s\n' "$LAB_PUBLIC_KEY" > /home/ann/.ssh/authorized_keys
chown ann:ann /home/ann/.ssh/authorized_keys
chmod 600 /home/ann/.ssh/authorized_keys
exec /usr/sbin/sshd -D -e -o PasswordAuthentication=no -o PermitRootLogin=no
