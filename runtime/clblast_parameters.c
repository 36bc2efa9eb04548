#include "clblast_parameters.h"

#include <string.h>

static const ebm_clblast_kernel XGEMM = EBM_CLBLAST_XGEMM, DIRECT = EBM_CLBLAST_DIRECT;
enum { LARGEST = 1 << 20 };

const ebm_clblast_names EBM_CLBLAST_NAMES[EBM_CLBLAST_KERNELS] = {
    {"Xgemm",
     16,
     {"GEMMK", "KREG", "KWG", "KWI", "MDIMA", "MDIMC", "MWG", "NDIMB", "NDIMC", "NWG", "SA", "SB", "STRM", "STRN",
      "VWM", "VWN"}},
    {"XgemmDirect", 10, {"KWID", "MDIMAD", "MDIMCD", "NDIMBD", "NDIMCD", "PADA", "PADB", "VWMD", "VWND", "WGD"}},
    {"GemmRoutine", 1, {"XGEMM_MIN_INDIRECT_SIZE"}},
    {"Transpose", 4, {"TRA_DIM", "TRA_PAD", "TRA_SHUFFLE", "TRA_WPT"}},
};

// ---- what is possible

static unsigned value_of(const ebm_clblast_parameters *p, ebm_clblast_kernel kernel, const char *name)
{
    const ebm_clblast_names *names = &EBM_CLBLAST_NAMES[kernel];
    size_t i = 0;
    while (i + 1 < names->count && strcmp(names->parameters[i], name) != 0) i++;
    return p->values[kernel][i];
}

static ebm_status broken(ebm_clblast_kernel kernel, const char *rule)
{
    return ebm_fail(EBM_ERROR_INPUT, "parameters of CLBlast's %s: %s", EBM_CLBLAST_NAMES[kernel].kernel, rule);
}

// Flags are 0 or 1, all else from 1 on.
static ebm_status check_ranges(const ebm_clblast_parameters *p, ebm_clblast_kernel kernel)
{
    static const char *const flags[] = {"GEMMK", "SA", "SB", "STRM", "STRN", "PADA", "PADB", "TRA_PAD", "TRA_SHUFFLE"};
    const ebm_clblast_names *names = &EBM_CLBLAST_NAMES[kernel];
    for (size_t i = 0; i < names->count; i++) {
        bool flag = false;
        for (size_t f = 0; f < sizeof flags / sizeof *flags; f++) flag |= strcmp(names->parameters[i], flags[f]) == 0;
        const unsigned value = p->values[kernel][i];
        if (value < (flag ? 0 : 1) || value > (flag ? 1 : LARGEST))
            return ebm_fail(EBM_ERROR_INPUT, "parameters of CLBlast's %s: %s must be %s, found %u", names->kernel,
                            names->parameters[i], flag ? "0 or 1" : "at least 1", value);
    }
    return ebm_ok();
}

static bool is_vector(unsigned width) { return width == 1 || width == 2 || width == 4 || width == 8 || width == 16; }
static bool divides(unsigned part, unsigned whole) { return part > 0 && whole % part == 0; }

// A work-group loads a block of `depth` steps, `across` items side by side.
static bool loads_evenly(unsigned depth, unsigned items, unsigned across)
{
    return divides(across, items) && divides(items / across, depth);
}

static ebm_status check_xgemm(const ebm_clblast_parameters *p)
{
    const unsigned mwg = value_of(p, XGEMM, "MWG"), nwg = value_of(p, XGEMM, "NWG"), kwg = value_of(p, XGEMM, "KWG");
    const unsigned mdimc = value_of(p, XGEMM, "MDIMC"), ndimc = value_of(p, XGEMM, "NDIMC");
    const unsigned mdima = value_of(p, XGEMM, "MDIMA"), ndimb = value_of(p, XGEMM, "NDIMB");
    const unsigned vwm = value_of(p, XGEMM, "VWM"), vwn = value_of(p, XGEMM, "VWN");
    if (!is_vector(vwm) || !is_vector(vwn)) return broken(XGEMM, "VWM and VWN must be 1, 2, 4, 8 or 16");
    if (!divides(mdimc * vwm, mwg) || !divides(mdima * vwm, mwg))
        return broken(XGEMM, "MWG must be a multiple of MDIMC VWM and MDIMA VWM");
    if (!divides(ndimc * vwn, nwg) || !divides(ndimb * vwn, nwg))
        return broken(XGEMM, "NWG must be a multiple of NDIMC VWN and NDIMB VWN");
    if (!divides(value_of(p, XGEMM, "KWI"), kwg)) return broken(XGEMM, "KWG must be a multiple of KWI");
    if (value_of(p, XGEMM, "GEMMK") == 0) {
        if (!loads_evenly(kwg, mdimc * ndimc, mdima) || !loads_evenly(kwg, mdimc * ndimc, ndimb))
            return broken(XGEMM, "KWG must be a multiple of MDIMC NDIMC / MDIMA and MDIMC NDIMC / NDIMB");
        return ebm_ok();
    }
    if (mdima != mdimc || ndimb != ndimc || !divides(vwn, value_of(p, XGEMM, "KREG")))
        return broken(XGEMM, "with GEMMK = 1 MDIMA = MDIMC, NDIMB = NDIMC and KREG a multiple of VWN");
    return ebm_ok();
}

static ebm_status check_direct(const ebm_clblast_parameters *p)
{
    const unsigned wgd = value_of(p, DIRECT, "WGD"), vwmd = value_of(p, DIRECT, "VWMD");
    const unsigned vwnd = value_of(p, DIRECT, "VWND"), mdimcd = value_of(p, DIRECT, "MDIMCD");
    const unsigned ndimcd = value_of(p, DIRECT, "NDIMCD"), mdimad = value_of(p, DIRECT, "MDIMAD");
    const unsigned ndimbd = value_of(p, DIRECT, "NDIMBD");
    if (!is_vector(vwmd) || !is_vector(vwnd)) return broken(DIRECT, "VWMD and VWND must be 1, 2, 4, 8 or 16");
    if (!divides(value_of(p, DIRECT, "KWID"), wgd) || !divides(mdimcd * vwmd, wgd) || !divides(mdimad * vwmd, wgd) ||
        !divides(ndimcd * vwnd, wgd) || !divides(ndimbd * vwnd, wgd))
        return broken(DIRECT,
                      "WGD must be a multiple of KWID and of what MDIMCD, MDIMAD, NDIMCD and NDIMBD items take");
    if (!loads_evenly(wgd, mdimcd * ndimcd, mdimad) || !loads_evenly(wgd, mdimcd * ndimcd, ndimbd))
        return broken(DIRECT, "WGD must be a multiple of MDIMCD NDIMCD / MDIMAD and MDIMCD NDIMCD / NDIMBD");
    return ebm_ok();
}

ebm_status ebm_clblast_parameters_check(const ebm_clblast_parameters *p)
{
    for (int kernel = 0; kernel < EBM_CLBLAST_KERNELS; kernel++)
        if (p->overrides[kernel]) EBM_TRY(check_ranges(p, (ebm_clblast_kernel)kernel));
    if (p->overrides[XGEMM]) EBM_TRY(check_xgemm(p));
    return p->overrides[DIRECT] ? check_direct(p) : ebm_ok();
}

// ---- what is tried

enum { NEVER_DIRECT = 1, MOSTLY_DIRECT = 512, ALWAYS_DIRECT = LARGEST };

// The whole of a set for GPUs: a kernel of CLBlast's database, XgemmDirect as it has it for most of NVIDIA's devices,
// and a threshold near those of its database.
#define FOR_GPU(...)                                                                                                   \
    {                                                                                                                  \
        {true, true, true, false},                                                                                     \
        {                                                                                                              \
            {__VA_ARGS__}, {2, 8, 8, 8, 8, 1, 1, 4, 2, 32}, { MOSTLY_DIRECT }                                          \
        }                                                                                                              \
    }

// For PoCL: work-groups are loops that the compiler turns into vector lanes, local memory gains nothing.
#define FOR_CPU(kwg, mwg, ndim, nwg, vwm)                                                                              \
    {                                                                                                                  \
        {true, false, true, true},                                                                                     \
        {                                                                                                              \
            {0, 1, kwg, 1, 1, 1, mwg, ndim, ndim, nwg, 0, 0, 0, 0, vwm, 1}, {0}, {NEVER_DIRECT}, { 4, 0, 0, 8 }        \
        }                                                                                                              \
    }

const ebm_clblast_set EBM_CLBLAST_SETS[] = {
    {"database", true, true, true, {{false}, {{0}}}},
    {"indirect", false, true, false, {{false, false, true, false}, {{0}, {0}, {NEVER_DIRECT}}}},
    {"direct", false, true, false, {{false, false, true, false}, {{0}, {0}, {ALWAYS_DIRECT}}}},
    // The devices of CLBlast's database that these come from, and what else has them there.
    {"gtx-1070-ti", false, true, true, FOR_GPU(0, 1, 32, 2, 16, 16, 64, 8, 8, 64, 1, 1, 0, 0, 4, 1)},
    {"pascal", false, true, true, FOR_GPU(0, 1, 32, 2, 16, 16, 64, 8, 8, 64, 1, 1, 0, 0, 4, 4)}, // Skylake, AMD
    {"gtx-970", false, true, false, FOR_GPU(0, 1, 32, 2, 16, 16, 64, 8, 8, 64, 1, 1, 0, 0, 4, 2)},
    {"gtx-980", false, true, false, FOR_GPU(0, 1, 16, 2, 16, 16, 64, 16, 8, 128, 1, 1, 1, 0, 4, 8)},
    {"gtx-1070", false, true, false, FOR_GPU(0, 1, 16, 2, 32, 16, 128, 32, 8, 128, 1, 1, 1, 0, 4, 1)},
    {"gtx-1080", false, true, false, FOR_GPU(0, 1, 32, 2, 16, 8, 64, 8, 8, 64, 1, 1, 1, 1, 4, 8)},
    {"titan-x", false, true, false, FOR_GPU(0, 1, 16, 2, 8, 16, 128, 8, 8, 128, 1, 1, 1, 1, 4, 8)},
    {"tesla-p100", false, true, false, FOR_GPU(0, 1, 32, 2, 8, 8, 32, 8, 8, 32, 1, 1, 0, 0, 4, 4)},
    {"fury-x", false, true, true, FOR_GPU(0, 1, 32, 2, 16, 16, 64, 16, 16, 64, 1, 1, 0, 0, 4, 4)},
    {"radeon-290x", false, true, false, FOR_GPU(0, 1, 16, 2, 16, 32, 128, 32, 8, 64, 1, 1, 1, 1, 4, 2)},
    {"radeon-580", false, true, false, FOR_GPU(0, 1, 32, 2, 8, 8, 32, 8, 8, 64, 0, 0, 0, 0, 4, 4)},
    {"hd-530", false, true, false, FOR_GPU(0, 1, 32, 2, 8, 8, 128, 32, 16, 64, 0, 0, 1, 0, 4, 2)},
    {"hd-6000", false, true, true, FOR_GPU(1, 4, 1, 1, 8, 8, 64, 8, 8, 64, 0, 0, 0, 0, 4, 4)},
    {"skylake-gt2", false, true, false, FOR_GPU(1, 2, 1, 1, 4, 4, 32, 8, 8, 64, 0, 0, 0, 0, 2, 2)},
    {"mali-t760", false, true, false, FOR_GPU(0, 1, 32, 2, 16, 16, 64, 8, 8, 32, 1, 1, 0, 0, 4, 2)},
    {"cpu-48x128x64", true, false, true, FOR_CPU(64, 48, 16, 128, 16)},
    {"cpu-48x64x32", true, false, true, FOR_CPU(32, 48, 8, 64, 16)},
    {"cpu-48x64x64", true, false, false, FOR_CPU(64, 48, 8, 64, 16)},
    {"cpu-48x64x128", true, false, false, FOR_CPU(128, 48, 8, 64, 16)},
    {"cpu-32x64x64", true, false, false, FOR_CPU(64, 32, 8, 64, 16)},
    {"cpu-32x128x64", true, false, false, FOR_CPU(64, 32, 16, 128, 16)},
    {"cpu-24x64x32-v8", true, false, false, FOR_CPU(32, 24, 8, 64, 8)},
};
const size_t EBM_CLBLAST_SET_COUNT = sizeof EBM_CLBLAST_SETS / sizeof *EBM_CLBLAST_SETS;

const ebm_clblast_set *ebm_clblast_default_set(const ebm_device_info *info)
{
    const bool ours = info->is_cpu && strcmp(info->platform_name, "Portable Computing Language") == 0;
    size_t i = 0;
    while (ours && i + 1 < EBM_CLBLAST_SET_COUNT && strcmp(EBM_CLBLAST_SETS[i].name, "cpu-48x128x64") != 0) i++;
    return &EBM_CLBLAST_SETS[i];
}
