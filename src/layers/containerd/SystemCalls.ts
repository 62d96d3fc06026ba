/**
 * What a worker may ask the kernel for: everything that programs of users do, and nothing by which the machine itself is changed,
 * another process is read, a namespace is made or left, or a part of the kernel is reached that few need and many have broken.
 * A call that is not named here is unknown, as it is on an older kernel: libraries then take the way that they took there.
 * @see https://github.com/opencontainers/runtime-spec/blob/v1.1.0/config-linux.md#seccomp
 */

interface Condition {
  readonly index: number
  readonly value: number
  readonly valueTwo?: number
  readonly op: "SCMP_CMP_EQ" | "SCMP_CMP_NE" | "SCMP_CMP_MASKED_EQ"
}

interface Rule {
  readonly names: ReadonlyArray<string>
  readonly action: "SCMP_ACT_ALLOW" | "SCMP_ACT_ERRNO"
  readonly errnoRet?: number
  readonly args?: ReadonlyArray<Condition>
}

/** As the specification of runtimes spells it. */
export interface Filter {
  readonly defaultAction: "SCMP_ACT_ERRNO"
  readonly defaultErrnoRet: number
  readonly syscalls: ReadonlyArray<Rule>
}

const notPermitted = 1
const notKnown = 38

const files = `
  access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64 fallocate fchdir
  fchmod fchmodat fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr fstat fstatat fstatfs fsync
  ftruncate futimesat getcwd getdents getdents64 getxattr inotify_add_watch inotify_init inotify_init1 inotify_rm_watch ioctl
  lchown lgetxattr link linkat listxattr llistxattr lremovexattr lseek lsetxattr lstat mkdir mkdirat mknod mknodat newfstatat open
  openat openat2 pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv removexattr
  rename renameat renameat2 rmdir sendfile setxattr splice stat statfs statx symlink symlinkat sync sync_file_range
  sync_file_range2 syncfs tee truncate umask unlink unlinkat utime utimensat utimensat_time64 utimes vmsplice write writev`

const waiting = `
  epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2
  io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit poll ppoll ppoll_time64 pselect6
  pselect6_time64 select signalfd signalfd4 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64`

const network = `
  accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg recvmmsg_time64 recvmsg sendmmsg sendmsg
  sendto setsockopt shutdown socketpair`

const processes = `
  arch_prctl capget capset execve execveat exit exit_group fork getcpu getegid geteuid getgid getgroups getpgid getpgrp getpid
  getppid getpriority getresgid getresuid getrlimit getrusage getsid gettid getuid ioprio_get ioprio_set kill
  landlock_add_rule landlock_create_ruleset landlock_restrict_self modify_ldt pause pidfd_open pidfd_send_signal prctl prlimit64
  restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
  rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr
  sched_getparam sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr
  sched_setparam sched_setscheduler sched_yield seccomp set_robust_list get_robust_list set_thread_area get_thread_area
  set_tid_address setfsgid setfsuid setgid setgroups setpgid setpriority setregid setresgid setresuid setreuid setrlimit setsid
  setuid sigaltstack sysinfo tgkill times tkill uname vfork wait4 waitid`

const memory = `
  brk futex futex_time64 futex_waitv madvise membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mprotect
  mremap msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_madvise process_mrelease remap_file_pages
  mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink msgctl msgget
  msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget`

const time = `
  alarm clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 getitimer getrandom
  gettimeofday nanosleep setitimer time timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime
  timer_settime64`

const refused = `
  acct add_key bpf chroot clock_adjtime clock_adjtime64 clock_settime clock_settime64 adjtimex delete_module fanotify_init
  fanotify_mark finit_module fsconfig fsmount fsopen fspick get_mempolicy init_module ioperm iopl kcmp kexec_file_load kexec_load
  keyctl lookup_dcookie mbind migrate_pages mount mount_setattr move_mount move_pages name_to_handle_at open_by_handle_at
  open_tree perf_event_open pidfd_getfd pivot_root process_vm_readv process_vm_writev ptrace quotactl quotactl_fd reboot
  request_key set_mempolicy set_mempolicy_home_node setdomainname sethostname setns settimeofday swapoff swapon syslog umount2
  unshare userfaultfd vhangup`

const namesIn = (...lists: ReadonlyArray<string>): ReadonlyArray<string> =>
  lists.flatMap((list) => list.trim().split(/\s+/))

/** The flags of `clone` that make a namespace: of mounts, cgroups, names, queues, users, processes, networks. */
const namespaceFlags = 0x7e_02_00_00

/** The host's side of a virtual machine, past every network and its filter. @see man 7 vsock */
const vsock = 40

/** What Linux, and what other and older systems do: a program may ask to be treated so. @see man 2 personality */
const personalities = [0x0, 0x8, 0x2_00_00, 0x2_00_08, 0xff_ff_ff_ff]

export const filter: Filter = {
  defaultAction: "SCMP_ACT_ERRNO",
  defaultErrnoRet: notKnown,
  syscalls: [
    { names: namesIn(files, waiting, network, processes, memory, time), action: "SCMP_ACT_ALLOW" },
    { names: namesIn(refused), action: "SCMP_ACT_ERRNO", errnoRet: notPermitted },
    {
      names: ["clone"],
      action: "SCMP_ACT_ALLOW",
      args: [{ index: 0, value: namespaceFlags, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }]
    },
    // Its flags are behind a pointer, where no filter sees them. Libraries fall back to `clone`.
    { names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: notKnown },
    { names: ["socket"], action: "SCMP_ACT_ALLOW", args: [{ index: 0, value: vsock, op: "SCMP_CMP_NE" }] },
    ...personalities.map((value): Rule => ({
      names: ["personality"],
      action: "SCMP_ACT_ALLOW",
      args: [{ index: 0, value, op: "SCMP_CMP_EQ" }]
    }))
  ]
}
