//! The limits that kernels need of an adapter. They are those that WebGPU promises, so
//! that conformant adapters have them all; others, of textures and the like, do not
//! matter.

use wgpu::{Adapter, DownlevelFlags, Limits};

/// A limit, by the name that WebGPU gives it.
struct Limit {
    name: &'static str,
    of: fn(&Limits) -> u64,
}

macro_rules! limits {
    ($($name:ident),+ $(,)?) => {
        [$(Limit { name: stringify!($name), of: |limits| u64::from(limits.$name) }),+]
    };
}

/// Those that kernels depend on.
const NEEDED: [Limit; 12] = limits![
    max_storage_buffers_per_shader_stage,
    max_uniform_buffers_per_shader_stage,
    max_storage_buffer_binding_size,
    max_uniform_buffer_binding_size,
    max_buffer_size,
    max_compute_workgroup_storage_size,
    max_compute_invocations_per_workgroup,
    max_compute_workgroup_size_x,
    max_compute_workgroup_size_y,
    max_compute_workgroup_size_z,
    max_compute_workgroups_per_dimension,
    max_bindings_per_bind_group,
];

/// What to ask an adapter that `has` these limits for: what kernels need, all that it has
/// of buffers and workgroup memory, and nothing that it lacks of the rest.
pub(super) fn to_ask_for(has: &Limits) -> Limits {
    let most = Limits {
        max_buffer_size: has.max_buffer_size,
        max_storage_buffer_binding_size: has.max_storage_buffer_binding_size,
        max_compute_workgroup_storage_size: has.max_compute_workgroup_storage_size,
        ..Limits::default()
    };
    most.or_worse_values_from(has)
}

/// What an adapter lacks, in words; nothing where kernels can run on it.
pub(super) fn lacking(adapter: &Adapter) -> Option<String> {
    let flags = adapter.get_downlevel_capabilities().flags;
    match flags.contains(DownlevelFlags::COMPUTE_SHADERS) {
        true => below(&adapter.limits()),
        false => Some("it runs no compute shaders".into()),
    }
}

fn below(has: &Limits) -> Option<String> {
    let needed = Limits::default();
    let below = NEEDED.iter().find(|limit| (limit.of)(has) < (limit.of)(&needed))?;
    let [has, needed] = [has, &needed].map(below.of);
    Some(format!("its {} is {has}, but {needed} are needed", below.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_below_is_named() {
        assert_eq!(below(&Limits::default()), None);
        let less = Limits { max_storage_buffers_per_shader_stage: 4, ..Limits::default() };
        assert_eq!(
            below(&less).as_deref(),
            Some("its max_storage_buffers_per_shader_stage is 4, but 8 are needed")
        );
        let textures = Limits { max_texture_dimension_2d: 64, ..Limits::default() };
        assert_eq!(below(&textures), None, "there are no textures");
        assert_eq!(to_ask_for(&textures).max_texture_dimension_2d, 64);
    }
}
