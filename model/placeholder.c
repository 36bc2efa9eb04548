typedef int ebm_nothing_here_yet;
